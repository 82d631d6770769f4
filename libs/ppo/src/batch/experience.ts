import { gae, grpoAdvantages, rlooAdvantages } from "../math/advantages.js";
import { sequenceKl } from "../math/kl.js";
import { whiten } from "../math/masked.js";
import { tokenRewards } from "../math/rewards.js";
import type { SequenceTokens } from "./layout.js";

/** One rollout with everything that PPO knows about it; arrays are [T] over its trained tokens. */
export interface Experience extends SequenceTokens {
  rolloutId: string;
  /** Answers to one prompt of an update share the group. */
  group: number;
  /** The score after the missing-EOS rule. */
  score: number;
  hasEos: boolean;
  /** log-probs of the sampler, π_behav. */
  behaviourLogProbs: Float32Array;
  /** How many versions the weights that sampled a token lie behind those that learn from it. */
  staleness: Int32Array;
  /** The ratio's denominator: the sampler's, or recomputed by the trainer (π_prox). */
  oldLogProbs: Float32Array;
  refLogProbs: Float32Array;
  /** The critic's V before each token; zeros without a critic. */
  values: Float32Array;
}

export interface AdvantageOptions {
  estimator: "gae" | "rloo" | "grpo";
  gamma: number;
  gaeLambda: number;
  whitenAdvantages: boolean;
  whitenRewards: boolean;
  /** β in the reward; 0 when the KL is in the loss. */
  klCoef: number;
}

/** Advantages and returns of each answer, [T] each. */
export interface Estimates {
  advantages: Float64Array[];
  returns: Float64Array[];
}

/** Rewards → advantages over the whole batch of an update, by the chosen estimator. */
export function estimateAdvantages(
  batch: readonly Experience[],
  options: AdvantageOptions,
): Estimates {
  if (options.estimator !== "gae") return groupEstimates(batch, options);
  const rewards = batchRewards(batch, options);
  const estimates = batch.map(({ values }, i) => gae({ rewards: rewards[i]!, values, ...options }));
  const advantages = estimates.map((estimate) => estimate.advantages);
  return {
    advantages: options.whitenAdvantages ? whitenTogether(advantages, true) : advantages,
    returns: estimates.map((estimate) => estimate.returns), // UNwhitened [reference 13]
  };
}

/**
 * Per-token rewards of every answer, whitened together (mean kept) when asked. The KL is that of the
 * policy which is about to learn (π_prox): with the sampler's log-probs of older weights the penalty
 * pulls toward a policy that is gone (closed form, η = 4: gap .11 instead of .001).
 */
function batchRewards(batch: readonly Experience[], options: AdvantageOptions): Float64Array[] {
  const rewards = batch.map((item) =>
    tokenRewards({
      logProbs: item.oldLogProbs,
      refLogProbs: item.refLogProbs,
      score: item.score,
      klCoef: options.klCoef,
    }),
  );
  return options.whitenRewards ? whitenTogether(rewards, false) : rewards;
}

/** RLOO and GRPO: every token of an answer has the answer's advantage; there is no critic. */
function groupEstimates(batch: readonly Experience[], options: AdvantageOptions): Estimates {
  const totals = batch.map(
    (item) => item.score - options.klCoef * sequenceKl(item.oldLogProbs, item.refLogProbs),
  );
  const groups = batch.map(({ group }) => group);
  const perAnswer =
    options.estimator === "rloo" ? rlooAdvantages(totals, groups) : grpoAdvantages(totals, groups);
  const spread = (values: ArrayLike<number>) =>
    batch.map(({ trained }, i) => new Float64Array(trained.length).fill(values[i]!));
  return { advantages: spread(perAnswer), returns: spread(totals) };
}

function whitenTogether(rows: readonly Float64Array[], shiftMean: boolean): Float64Array[] {
  const flat = whiten(concat(rows), { shiftMean });
  let offset = 0;
  return rows.map((row) => flat.slice(offset, (offset += row.length)));
}

/** Rows laid end to end. */
export function concat(rows: readonly ArrayLike<number>[]): Float64Array {
  const flat = new Float64Array(rows.reduce((sum, row) => sum + row.length, 0));
  let offset = 0;
  for (const row of rows) {
    flat.set(row, offset);
    offset += row.length;
  }
  return flat;
}
