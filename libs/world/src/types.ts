import type { Message, PromptRecord } from "@stagecraft/data";

/** The kinds of request that the assistant is trained on and judged by. */
export const REQUEST_KINDS = [
  "completion",
  "translation",
  "summary",
  "sentiment",
  "question",
  "smalltalk",
  "refusal",
] as const;

export type RequestKind = (typeof REQUEST_KINDS)[number];

/** Kinds whose answers are exactly right or wrong; the other two are judged by the rubric alone. */
export const EXACT_KINDS: readonly RequestKind[] = [
  "completion",
  "translation",
  "summary",
  "sentiment",
  "question",
];

/** `demo` trains in minutes on two cores, `tiny` in seconds (continuous integration). */
export type WorldSizeName = "demo" | "tiny";

/** What a right answer must and must not say; the gold scorer reads nothing else about a request. */
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

/** A request with its key. `accepted` is present exactly when an exact answer exists. */
export interface WorldRequest extends PromptRecord {
  readonly id: string;
  readonly kind: RequestKind;
  readonly messages: Message[];
  /** The ideal answer, courtesy included; it scores 1 (the maximum). */
  readonly reference: string;
  readonly accepted?: string[];
  readonly key: AnswerKey;
}

/** A request before it has an id, a split and a reference. */
export interface DraftRequest {
  readonly kind: RequestKind;
  readonly text: string;
  /** The part of the text that decides between training and held-out: same content, same split. */
  readonly splitKey: string;
  readonly key: AnswerKey;
}

/** One training conversation, written by a trainer. */
export interface Demonstration {
  readonly id: string;
  /** The kind of the last request. */
  readonly kind: RequestKind;
  readonly trainer: string;
  readonly messages: Message[];
}

/** One text of the corpus; `file` is relative to the corpus folder. */
export interface WorldDocument {
  readonly file: string;
  readonly title: string;
  readonly text: string;
}
