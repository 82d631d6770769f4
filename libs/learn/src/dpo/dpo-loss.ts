/**
 * Direct Preference Optimization (Rafailov et al. 2023, eq. 7) over K-wise rankings: the policy itself
 * is the reward model, with the implicit reward r = β·(log π(y|x) − log π_ref(y|x)), summed over the
 * answer's tokens. Departures:
 * 1. a ranking of K answers is expanded to its strictly ordered pairs and weighs as much as one prompt,
 *    as in the reward model's K-wise loss [IG], not as C(K, 2) items;
 * 2. optional label smoothing ε for noisy raters (Mitchell 2023, "A note on DPO with noisy
 *    preferences"): −(1 − ε)·log σ(h) − ε·log σ(−h).
 */
import { tf } from "@stagecraft/tensor";
import { padded } from "../batch/pack.js";
import {
  logSigmoid,
  pairsOf,
  rankedPairs,
  sigmoid,
  type RankedPair,
} from "../reward/ranking-loss.js";

export interface DpoLossOptions {
  /** Price of a nat away from the reference. */
  beta: number;
  /** ε: the share of pairs that the raters are thought to have the wrong way round. */
  labelSmoothing: number;
}

export interface DpoPairs {
  /** The pairs that count; default all strictly ordered ones. */
  pairs?: readonly RankedPair[];
}

/**
 * The loss of one prompt from its answers' log π − log π_ref, with its gradient over them. Float64;
 * 0 when all answers are tied. At log π = log π_ref it is ln 2.
 */
export function dpoLoss(
  logRatios: ArrayLike<number>,
  ranks: ArrayLike<number>,
  { beta, labelSmoothing, pairs = rankedPairs(ranks) }: DpoLossOptions & DpoPairs,
): { loss: number; gradient: Float64Array } {
  const gradient = new Float64Array(logRatios.length);
  let loss = 0;
  for (const { winner, loser } of pairs) {
    const h = beta * (logRatios[winner]! - logRatios[loser]!);
    loss -= (1 - labelSmoothing) * logSigmoid(h) + labelSmoothing * logSigmoid(-h);
    const push = beta * ((1 - labelSmoothing) * sigmoid(-h) - labelSmoothing * sigmoid(h));
    gradient[winner]! -= push / pairs.length;
    gradient[loser]! += push / pairs.length;
  }
  return { loss: pairs.length === 0 ? 0 : loss / pairs.length, gradient };
}

/** Σ over prompts of `dpoLoss`; `logRatios` are [Σ K] in the order of prompts and answers. */
export function dpoLossTensor(
  logRatios: tf.Tensor1D,
  prompts: readonly ({ ranks: readonly number[] } & DpoPairs)[],
  { beta, labelSmoothing }: DpoLossOptions,
): tf.Scalar {
  const winners: number[] = [];
  const losers: number[] = [];
  const weights: number[] = [];
  let offset = 0;
  for (const prompt of prompts) {
    const pairs = pairsOf(prompt);
    for (const { winner, loser } of pairs) {
      winners.push(offset + winner);
      losers.push(offset + loser);
      weights.push(1 / pairs.length);
    }
    offset += prompt.ranks.length;
  }
  // All tied: 0 that still depends on the model, so that every parameter has a gradient.
  if (weights.length === 0) return tf.mul(tf.sum<tf.Scalar>(logRatios), 0);
  const won = tf.gather(logRatios, tf.tensor1d(padded(winners), "int32"));
  const lost = tf.gather(logRatios, tf.tensor1d(padded(losers), "int32"));
  const h = tf.mul(tf.sub(won, lost), beta); // [pairs]
  const agree = tf.mul(tf.softplus(tf.neg(h)), 1 - labelSmoothing); // −log σ(h)
  const losses = labelSmoothing > 0 ? tf.add(agree, tf.mul(tf.softplus(h), labelSmoothing)) : agree;
  return tf.sum(tf.mul(losses, tf.tensor1d(padded(weights))));
}
