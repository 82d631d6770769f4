import type { PromptTask, RolloutSample } from "./rollout-source.js";
import { flatten, type FlatRollout } from "./segments.js";
import type { PublishedWeights } from "./weight-publisher.js";

type SampledWeights = Pick<FlatRollout, "weightVersions"> & Pick<RolloutSample, "weights">;

/**
 * The update that made the weights of each trained token; −1 where they are none of those published. The hash
 * decides: answers of equal weights stay good across a restart that published them under another number.
 */
export function stepsOf(
  { weightVersions, weights }: SampledWeights,
  published: readonly PublishedWeights[],
): Int32Array {
  const stepOfHash = new Map(published.map(({ sha256, step }) => [sha256, step]));
  const stepOf = new Map(
    weights.map(({ version, sha256 }) => [version, stepOfHash.get(sha256) ?? -1]),
  );
  return weightVersions.map((version) => stepOf.get(version) ?? -1);
}

/** Why an answer was not sampled with weights that its task allows; undefined when it was. */
export function weightProblem(
  sample: RolloutSample,
  { minStep }: PromptTask,
  published: readonly PublishedWeights[],
): string | undefined {
  const { weights, segments } = sample;
  const { weightVersions } = flatten(segments);
  const steps = stepsOf({ weightVersions, weights }, published);
  const at = steps.findIndex((step) => step < minStep);
  if (at === -1) return undefined;
  const version = weightVersions[at]!;
  const sha256 = weights.find((each) => each.version === version)?.sha256 ?? "";
  const which =
    steps[at] === -1 ? "which this run has not published lately" : `those of update ${steps[at]}`;
  return (
    `sampled with weights ${version} (sha256 ${sha256.slice(0, 12) || "none"}), ${which}; the task ` +
    `wants those of update ${minStep} or newer: the sampler did not load the published weights`
  );
}

/**
 * The number that the weights of a step go by. The newest one's where that step is not known any more,
 * and where it is higher: a store that was lost counts from 1 again.
 */
export function versionOfStep(published: readonly PublishedWeights[], step: number): number {
  const newest = published.at(-1)!.version;
  const version = published.find((weights) => weights.step === step)?.version ?? newest;
  return Math.min(version, newest);
}
