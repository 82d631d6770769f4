import { StagecraftError } from "@stagecraft/core";
import type { PromptTask, RolloutSample } from "./planes.js";
import { rolloutProblem, type RolloutRules } from "./rollout-rules.js";

export interface RolloutExpectation extends RolloutRules {
  /** The newest published version. */
  version: number;
  /** Hashes of the published versions that a token may be of. */
  hashes: ReadonlyMap<number, string>;
  /** How many versions behind a token may be; 0 = synchronous. */
  maxStaleness: number;
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
 * `rolloutProblem`); a wrong weight version or hash as a `WrongWeightsError`.
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
    const stale = weightProblem(sample, expected);
    if (stale) throw new WrongWeightsError(about + stale, task.taskId);
    return sample;
  });
}

function weightProblem(
  { weightVersions, weightsHash }: RolloutSample,
  { version, hashes, maxStaleness }: RolloutExpectation,
): string | undefined {
  const wrong = weightVersions.find((v) => v > version || v < version - maxStaleness);
  if (wrong !== undefined) {
    return `sampled with weight version ${wrong}, expected ${maxStaleness > 0 ? `${version - maxStaleness} to ` : ""}${version}; the sampler did not load the published weights`;
  }
  const last = weightVersions.at(-1)!;
  const sha256 = hashes.get(last) ?? "unknown";
  if (weightsHash === sha256) return undefined;
  return `sampled with weights ${weightsHash.slice(0, 12)}…, version ${last} is ${sha256.slice(0, 12)}…`;
}

function refused(reason: string, taskId: string): StagecraftError {
  return new StagecraftError("failed_precondition", reason, { details: { taskId } });
}
