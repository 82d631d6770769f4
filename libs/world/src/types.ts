import type { Message, PromptRecord } from "@stagecraft/data";

/** The kinds of prompt that the assistant is trained on and judged by. */
export const PROMPT_KINDS = [
  "completion",
  "translation",
  "summary",
  "sentiment",
  "question",
  "smalltalk",
  "refusal",
] as const;

export type PromptKind = (typeof PROMPT_KINDS)[number];

/** Kinds whose answers are exactly right or wrong; the other two are judged by the rubric alone. */
export const EXACT_KINDS: readonly PromptKind[] = [
  "completion",
  "translation",
  "summary",
  "sentiment",
  "question",
];

/** `demo` trains in minutes on two cores, `tiny` in seconds (continuous integration). */
export type WorldSizeName = "demo" | "tiny";

/** What a right answer must and must not say; the gold scorer reads nothing else about a prompt. */
export interface AnswerKey {
  /** Right answers without courtesies, the best first: a complete sentence. */
  readonly accepted: readonly string[];
  /** What a terse trainer answers; default: the first accepted form. */
  readonly short?: string;
  /** Every group must be hit by one of its phrases; lower case, no punctuation. */
  readonly required: readonly (readonly string[])[];
  /** Phrases of wrong answers that compete with the right one ("the fox eats fish"). */
  readonly rivals: readonly string[];
  /** True when the only honest answer is "I do not know". */
  readonly unknown: boolean;
}

/** A prompt with its key. `accepted` is present exactly when an exact answer exists. */
export interface WorldPrompt extends PromptRecord {
  readonly id: string;
  readonly kind: PromptKind;
  readonly messages: Message[];
  /** The ideal answer, courtesy included; it scores 1 (the maximum). */
  readonly reference: string;
  readonly accepted?: string[];
  readonly key: AnswerKey;
}

/** A prompt before it has an id, a split and a reference. */
export interface DraftPrompt {
  readonly kind: PromptKind;
  readonly text: string;
  /** The part of the text that decides between training and held-out: same content, same split. */
  readonly splitKey: string;
  readonly key: AnswerKey;
}

/** One training conversation, written by a trainer. */
export interface Demonstration {
  readonly id: string;
  /** The kind of the last prompt. */
  readonly kind: PromptKind;
  readonly trainer: string;
  readonly messages: Message[];
}

/** One text of the corpus; `file` is relative to the corpus folder. */
export interface WorldDocument {
  readonly file: string;
  readonly title: string;
  readonly text: string;
}
