import type { ParsedGeneration, ParsedPromptTask } from "@stagecraft/contracts";

/** What the policy wrote in one turn. */
export type Turn = Pick<ParsedGeneration, "tokenIds" | "text" | "finishReason">;

/**
 * What a rollout happens in. It gives the policy something to read, takes what the policy writes, and
 * says when that is over. Many episodes at once; what fails throws and is never a reward of 0.
 */
export interface Environment {
  /** What tasks call it by. */
  readonly name: string;
  /** Begins an episode. Throws `invalid_argument` for a task that it cannot work with. */
  reset(task: ParsedPromptTask, signal: AbortSignal): Promise<Episode>;
}

/** One rollout on its way. */
export interface Episode {
  /** What the policy reads first, as ids of its tokenizer. */
  readonly observation: Int32Array;
  /** Goes on with what the policy wrote. */
  step(turn: Turn, signal: AbortSignal): Promise<StepOutcome>;
}

/** What became of a turn: the end, or what the policy reads before it writes again. */
export type StepOutcome = { done: true } | { done: false; observation: Int32Array };
