import { StagecraftError } from "@stagecraft/core";
import type { PromptTask, RolloutSample } from "./rollout-source.js";
import { rolloutProblem, type RolloutRules } from "./rollout-rules.js";
import type { PublishedWeights } from "./weight-publisher.js";
import { weightProblem } from "./weight-rules.js";

export interface RolloutExpectation extends RolloutRules {
  /** The weights that a token may be of. */
  published: readonly PublishedWeights[];
  /** Rollout ids that were learnt from already. */
  isConsumed(rolloutId: string): boolean;
}

/** A rollout was sampled with weights that it should not have been. */
export class WrongWeightsError extends StagecraftError {
  constructor(reason: string, taskId: string) {
    super("failed_precondition", reason, { details: { taskId } });
  }
}

/**
 * One sample per task in the order of the tasks. Repeated deliveries of a task and rollouts already
 * consumed count once; everything else that is not as it must be throws `failed_precondition` (see
 * `rolloutProblem`); other weights than the task allows as a `WrongWeightsError`.
 */
export function verifyRollouts(
  tasks: readonly PromptTask[],
  samples: readonly RolloutSample[],
  expected: RolloutExpectation,
): RolloutSample[] {
  const byTask = new Map<string, RolloutSample>();
  for (const sample of samples) {
    if (expected.isConsumed(sample.rolloutId) || byTask.has(sample.taskId)) continue;
    byTask.set(sample.taskId, sample);
  }
  return tasks.map((task) => {
    const sample = byTask.get(task.taskId);
    if (!sample) throw refused(`no rollout arrived for task ${task.taskId}`, task.taskId);
    const about = `rollout ${sample.rolloutId}: `;
    const problem = rolloutProblem(sample, task, expected);
    if (problem) throw refused(about + problem, task.taskId);
    const stale = weightProblem(sample, task, expected.published);
    if (stale) throw new WrongWeightsError(about + stale, task.taskId);
    return sample;
  });
}

function refused(reason: string, taskId: string): StagecraftError {
  return new StagecraftError("failed_precondition", reason, { details: { taskId } });
}
