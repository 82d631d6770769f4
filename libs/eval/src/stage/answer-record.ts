import type { PromptRecord } from "@stagecraft/data";

/** A line of answers.jsonl: one model's answer to one prompt, judged. */
export interface AnswerRecord {
  readonly model: string;
  readonly id: string;
  readonly kind?: string;
  readonly prompt: string;
  readonly answer: string;
  readonly numTokens: number;
  /** "eos", "stop" or "length". */
  readonly finishReason: string;
  /** Missing where the prompt has no exact answer. */
  readonly exact?: boolean;
  /** By scorer; the reward model's is called `reward`. */
  readonly scores: Readonly<Record<string, number>>;
}

/** Judges an answer to a prompt; larger is better. Must not depend on anything but its arguments. */
export type AnswerScorer = (prompt: PromptRecord, answer: string) => number | Promise<number>;

/** Scorers by the name under which their scores are written. `reward` is taken. */
export type AnswerScorers = Readonly<Record<string, AnswerScorer>>;
