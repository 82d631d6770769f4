import type { ChatMessage, ParsedGeneration, ParsedPromptTask } from "@stagecraft/contracts";
import type { TraceContext } from "@stagecraft/telemetry";

/** What the calls made for a task carry along, for traces and logs. */
export interface TaskCall {
  runId: string;
  taskId: string;
  trace: TraceContext;
}

/** What the worker needs of a policy server. */
export interface PolicyPort {
  generate(task: ParsedPromptTask, signal: AbortSignal, call?: TaskCall): Promise<ParsedGeneration>;
}

/** An answer with everything a reward source may want to read. */
export interface AnswerToScore {
  /** The prompt in its data set. */
  promptId: string;
  /** Prompt and answer as ids of the policy's tokenizer. */
  ids: Int32Array;
  /** The conversation with the answer as last turn; empty when the task had plain tokens only. */
  messages: ChatMessage[];
}

/** One number from one source. */
export interface SourceScore {
  source: string;
  version: string;
  value: number;
  /** Standard deviation over an ensemble's members; logged beside the score when there is one. */
  uncertainty?: number;
}

/** What the worker needs of a reward source. */
export interface RewardPort {
  score(answer: AnswerToScore, signal: AbortSignal, call?: TaskCall): Promise<SourceScore>;
}

/** A reward source and its part in the sum. */
export interface WeightedReward {
  port: RewardPort;
  weight: number;
}
