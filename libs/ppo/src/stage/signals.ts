import { present } from "@stagecraft/core";
import { correlation } from "@stagecraft/learn";
import { concat, type Estimates, type Experience } from "../batch/experience.js";
import { sequenceKl } from "../math/kl.js";
import { behaviourWeights, explainedVariance } from "../math/losses.js";
import { maskedMean, maskedVariance } from "../math/masked.js";
import type { OptimizeSignals } from "../update/trainees.js";

/** What the answers of one update look like, before learning from them. */
export interface RolloutSignals {
  /** Mean and standard deviation of the score after the missing-EOS rule. */
  score: number;
  scoreStd: number;
  /** Mean of score − β·KL: what PPO maximises. */
  objective: number;
  /** Mean over answers of the sum over tokens of log π_old − log π_ref, and its standard error. */
  kl: number;
  klStdErr: number;
  klCoef: number;
  responseLength: number;
  eosRate: number;
  /** Of the critic, 1 = perfect, ≤ 0 = no better than a constant. Absent without a critic. */
  explainedVariance?: number;
  /** Pearson's r of score and length over the answers; absent where one of them does not vary. */
  lengthCorrelation?: number;
  numTokens: number;
  /** Mean over tokens of the versions between the weights that sampled and those that learn. */
  staleness: number;
  /** Largest π_prox/π_behav: how far the policy has moved since the oldest token was sampled. */
  maxImportance: number;
}

/** Everything logged for one update. */
export interface UpdateSignals extends RolloutSignals, OptimizeSignals {
  learningRate: number;
}

/** Figures of a batch; `klCoef` is the β it was rewarded with. */
export function rolloutSignals(
  batch: readonly Experience[],
  estimates: Estimates,
  klCoef: number,
): RolloutSignals {
  const scores = batch.map(({ score }) => score);
  const lengths = batch.map(({ trained }) => trained.length);
  const kls = batch.map((item) => sequenceKl(item.behaviourLogProbs, item.refLogProbs));
  const values = concat(batch.map((item) => item.values));
  const hasCritic = values.some((value) => value !== 0);
  return present({
    score: maskedMean(scores),
    scoreStd: Math.sqrt(maskedVariance(scores)),
    objective: maskedMean(scores) - klCoef * maskedMean(kls),
    kl: maskedMean(kls),
    klStdErr: Math.sqrt(maskedVariance(kls) / kls.length),
    klCoef,
    responseLength: maskedMean(lengths),
    eosRate: maskedMean(batch.map(({ hasEos }) => (hasEos ? 1 : 0))),
    explainedVariance: hasCritic ? explainedVariance(values, concat(estimates.returns)) : undefined,
    lengthCorrelation: correlation(scores, lengths),
    numTokens: lengths.reduce((sum, length) => sum + length, 0),
    staleness: maskedMean(concat(batch.map((item) => item.staleness))),
    maxImportance: batch.reduce(
      (max, { oldLogProbs, behaviourLogProbs }) =>
        behaviourWeights(oldLogProbs, behaviourLogProbs).reduce((a, b) => Math.max(a, b), max),
      0,
    ),
  });
}
