import type { Model } from "@stagecraft/model";
import type { Experience } from "../batch/experience.js";
import { responseLogProbs, responseValues, type ForwardOptions } from "../batch/forward.js";
import { trainedIds } from "../batch/layout.js";
import { sequenceKl } from "../math/kl.js";
import { maskedMean } from "../math/masked.js";
import { scoreWithEosRule, type MissingEosRule } from "../math/rewards.js";
import { combineAnswerScores, type ScoreCombination } from "../rollouts/combine-scores.js";
import type { RolloutSample } from "../rollouts/rollout-source.js";
import { cutAfterLastTurn, type FlatRollout } from "../rollouts/segments.js";
import type { PublishedWeights } from "../rollouts/weight-publisher.js";
import { stepsOf } from "../rollouts/weight-rules.js";

export interface ExperienceModels {
  policy: Model;
  reference: Model;
  critic?: Model;
}

export interface ExperienceOptions extends ForwardOptions {
  /** Tokens that end an answer; []: answers have a fixed length. */
  endIds: readonly number[];
  /** How an answer's scores become one, before the missing-EOS rule. */
  scores: ScoreCombination;
  missingEos: MissingEosRule;
  /** Consecutive samples that answer one prompt. */
  samplesPerPrompt: number;
  /** The update that is about to be made. */
  update: number;
  /** The weights that the answers may be of. */
  published: readonly PublishedWeights[];
  /**
   * Tokens whose ratio has the policy as it is now as its denominator (π_prox), not the sampler's:
   * none, those of older weights [AReaL], or all.
   */
  recomputeOldLogProbs: "none" | "stale" | "all";
}

/**
 * Samples with what only the trainer knows: reference log-probs, values, the score after the rules.
 * Answers are cut as `cutAfterLastTurn` says.
 */
export function buildExperience(
  samples: readonly RolloutSample[],
  models: ExperienceModels,
  options: ExperienceOptions,
): Experience[] {
  const cut = samples.map((sample) => cutSample(sample, options.endIds));
  const ref = responseLogProbs(models.reference, cut, options);
  const values = models.critic ? responseValues(models.critic, cut, options) : undefined;
  const staleness = cut.map((sample) =>
    stepsOf(sample, options.published).map((step) => options.update - step),
  );
  const old = oldLogProbs(cut, staleness, { policy: models.policy, options });
  return cut.map((sample, i) => ({
    rolloutId: sample.rolloutId,
    ids: sample.ids,
    trained: sample.trained,
    group: Math.floor(i / options.samplesPerPrompt),
    score: scoreWithEosRule(
      combineAnswerScores(scoredAnswer(sample), sample.hasEos, options.scores),
      sample.hasEos,
      options.missingEos,
    ),
    hasEos: sample.hasEos,
    behaviourLogProbs: sample.logProbs,
    staleness: staleness[i]!,
    oldLogProbs: old[i]!,
    refLogProbs: ref[i]!,
    values: values?.[i] ?? new Float32Array(sample.trained.length),
  }));
}

/**
 * Figures of evaluation answers: the reward model's own score, length, and `evalLogRatio`, the mean
 * of Σ log π − log π_ref along them (a KL only when they were sampled at the training temperature).
 * Without answers there are no figures.
 */
export function evaluationFigures(
  samples: readonly RolloutSample[],
  { policy, reference }: ExperienceModels,
  options: ExperienceOptions,
): Record<string, number> {
  if (samples.length === 0) return {};
  const cut = samples.map((sample) => cutSample(sample, options.endIds));
  const logProbs = responseLogProbs(policy, cut, options);
  const refLogProbs = responseLogProbs(reference, cut, options);
  const extra = Object.entries(meanExtraScores(samples)).map(([key, value]) => [
    `eval_${key}`,
    value,
  ]);
  return {
    evalScore: maskedMean(samples.map(({ score }) => score)),
    evalLogRatio: maskedMean(logProbs.map((row, i) => sequenceKl(row, refLogProbs[i]!))),
    evalResponseLength: maskedMean(cut.map(({ trained }) => trained.length)),
    evalEosRate: maskedMean(cut.map(({ hasEos }) => (hasEos ? 1 : 0))),
    ...(Object.fromEntries(extra) as Record<string, number>),
  };
}

/** Means of the extra scores as `score_<name>`, over the samples that carry them. */
export function meanExtraScores(samples: readonly RolloutSample[]): Record<string, number> {
  // A map: the names are a worker's, and `values["__proto__"]` of an object is no list.
  const values = new Map<string, number[]>();
  for (const { extraScores = {} } of samples) {
    for (const [name, value] of Object.entries(extraScores)) {
      values.set(name, [...(values.get(name) ?? []), value]);
    }
  }
  return Object.fromEntries([...values].map(([name, list]) => [`score_${name}`, maskedMean(list)]));
}

function cutSample(sample: RolloutSample, endIds: readonly number[]) {
  return { ...sample, ...cutAfterLastTurn(sample.segments, endIds) };
}

function scoredAnswer(cut: ReturnType<typeof cutSample>) {
  return { ...cut, responseIds: trainedIds(cut) };
}

/**
 * π_prox where it is wanted. A token sampled by the very weights that learn from it keeps what the
 * sampler said: π_prox is π_behav there, so that without staleness this is plain PPO bit for bit.
 */
function oldLogProbs(
  samples: readonly FlatRollout[],
  staleness: readonly Int32Array[],
  { policy, options }: { policy: Model; options: ExperienceOptions },
): Float32Array[] {
  const { recomputeOldLogProbs: which } = options;
  const isWanted = (age: number) => which === "all" || (which === "stale" && age > 0);
  const wanted = samples.map((_, i) => staleness[i]!.some(isWanted));
  const chosen = samples.filter((_, i) => wanted[i]);
  const recomputed = chosen.length > 0 ? responseLogProbs(policy, chosen, options) : [];
  let next = 0;
  return samples.map(({ logProbs }, i) => {
    if (!wanted[i]) return logProbs;
    const prox = recomputed[next++]!;
    return prox.map((value, t) => (isWanted(staleness[i]![t]!) ? value : logProbs[t]!));
  });
}
