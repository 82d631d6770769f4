import type { TensorMap } from "@stagecraft/checkpoint";
import type { Message } from "@stagecraft/tokenizer";

/** One answer to be sampled and scored. */
export interface PromptTask {
  /** Unique in the run and sorted like the order of use, e.g. `u000012-000003`. */
  taskId: string;
  promptId: string;
  messages: Message[];
  /** The rendered conversation, ending where the answer begins. */
  promptIds: Int32Array;
  sampling: { temperature: number; maxNewTokens: number; seed: number };
  /** The answer must be sampled with this version of the weights or a later one. */
  minWeightVersion: number;
}

/** One sampled and scored answer. */
export interface RolloutSample {
  rolloutId: string;
  taskId: string;
  promptIds: Int32Array;
  /** The sampled tokens, the EOS included when there is one. */
  responseIds: Int32Array;
  /** log π of each response token when it was sampled, logits divided by the temperature. [T] */
  logProbs: Float32Array;
  /** Weight version that sampled each token. [T] */
  weightVersions: Int32Array;
  finishReason: string;
  score: number;
  rewardModelVersion: string;
  /** sha256 of the weights of the last token's version, as `publishWeights` answered it. */
  weightsHash: string;
  /** Other scores of the same answer, logged and never learnt from, e.g. `{ gold: 0.8 }`. */
  extraScores?: Record<string, number>;
}

/** A version of the policy's weights that samplers were given. */
export interface PublishedWeights {
  version: number;
  sha256: string;
}

/** Why an answer to a task must not be learnt from; undefined when it may. */
export type RolloutCheck = (sample: RolloutSample, task: PromptTask) => string | undefined;

/** What PPO needs from the rest of the system; the trainer service implements it over the bus. */
export interface PpoPlanes {
  /** Makes weights available to samplers. Publishing a version again with equal weights is safe. */
  publishWeights(version: number, tensors: TensorMap, step: number): Promise<{ sha256: string }>;
  /**
   * Hands the tasks to the samplers at once and resolves with one sample per task, in any order, when
   * the last has come; rejects with `cancelled` on the signal. May be called again before earlier
   * calls have resolved: that is how sampling runs ahead of training. Planes that take answers from
   * others ask `problemOf` of each as it arrives, refuse what has one and ask for the task again; what
   * they resolve with in spite of it fails the run.
   */
  collect(
    tasks: PromptTask[],
    signal: AbortSignal,
    problemOf: RolloutCheck,
  ): Promise<RolloutSample[]>;
  /**
   * Told when a run is resumed which weights it had published last, so that answers sampled from them
   * before the stop are still taken.
   */
  recall?(weights: readonly PublishedWeights[]): void;
  /**
   * Told after the checkpoint that contains these rollouts is on disk: now they may be acknowledged.
   */
  acknowledge?(rolloutIds: string[]): Promise<void>;
}
