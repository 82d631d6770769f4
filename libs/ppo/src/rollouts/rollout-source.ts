import type { Message } from "@stagecraft/tokenizer";
import type { RolloutSegment } from "./segments.js";
import type { WeightPublisher } from "./weight-publisher.js";

/** One answer to be sampled and scored. */
export interface PromptTask {
  /** Unique in the run and sorted like the order of use, e.g. `u000012-000003`. */
  taskId: string;
  promptId: string;
  messages: Message[];
  /** The rendered conversation, ending where the answer begins. */
  promptIds: Int32Array;
  sampling: { temperature: number; maxNewTokens: number; seed: number };
  /** The answer must be sampled with the weights of this update or a later one … */
  minStep: number;
  /** … which go by this number. */
  minWeightVersion: number;
}

/** One sampled and scored answer, or conversation. */
export interface RolloutSample {
  rolloutId: string;
  taskId: string;
  /** What was read and written, in order: the prompt first, the end token of a turn last in it. */
  segments: readonly RolloutSegment[];
  /** Every number of weights in them with the hash of what the sampler had loaded. */
  weights: readonly { version: number; sha256: string }[];
  finishReason: string;
  score: number;
  rewardModelVersion: string;
  /** Other scores of the same answer, logged and never learnt from, e.g. `{ gold: 0.8 }`. */
  extraScores?: Record<string, number>;
}

/** Why an answer to a task must not be learnt from; undefined when it may. */
export type RolloutCheck = (sample: RolloutSample, task: PromptTask) => string | undefined;

/** Where answers come from; the trainer service implements it over the bus. */
export interface RolloutSource {
  /**
   * Hands the tasks to the samplers at once and resolves with one sample per task, in any order, when
   * the last has come; rejects with `cancelled` on the signal. May be called again before earlier
   * calls have resolved: that is how sampling runs ahead of training. Sources that take answers from
   * others ask `problemOf` of each as it arrives, refuse what has one and ask for the task again; what
   * they resolve with in spite of it fails the run.
   */
  collect(
    tasks: PromptTask[],
    signal: AbortSignal,
    problemOf: RolloutCheck,
  ): Promise<RolloutSample[]>;
  /**
   * Told after the checkpoint that contains these rollouts is on disk: now they may be acknowledged.
   */
  acknowledge?(rolloutIds: string[]): Promise<void>;
}

/** Both ways between PPO and whoever samples for it. */
export interface Samplers {
  rollouts: RolloutSource;
  weights: WeightPublisher;
}
