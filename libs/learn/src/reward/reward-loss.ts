import type { Model } from "@stagecraft/model";
import { tf } from "@stagecraft/tensor";
import { padded } from "../batch/pack.js";
import { pairsOf } from "./ranking-loss.js";
import { layoutForScores, type RewardItem } from "./reward-batch.js";

/** What a reward model learns: to rank K answers, to tell good from bad, or a score in 0–1. */
export type RewardObjective = "ranking" | "classification" | "regression";

export interface RewardLossOptions {
  objective: RewardObjective;
  /** Weight of (r_a + r_b)² over the pairs, which keeps scores near 0; 0 = none. */
  centerCoef: number;
}

/** A prompt's share of the denominator: 1, or 0 when it teaches nothing (all tied). */
export function promptWeight(item: RewardItem, objective: RewardObjective): number {
  return objective !== "ranking" || pairsOf(item).length > 0 ? 1 : 0;
}

/**
 * The loss of a batch of prompts over `denominator` prompts. All answers of a prompt are ONE batch
 * element: K forward passes and the mean over its pairs, not C(K, 2) items [IG]. log σ is −softplus.
 */
export function rewardLoss(
  model: Model,
  items: readonly RewardItem[],
  { denominator, ...options }: RewardLossOptions & { denominator: number },
): tf.Scalar {
  return tf.tidy(() => {
    const layout = layoutForScores(items.flatMap(({ sequences }) => sequences));
    const scores = model.scores(layout, layout.lastIndex); // [Σ K]
    const loss =
      options.objective === "ranking"
        ? rankingLossTensor(scores, items, options.centerCoef)
        : answerLossTensor(scores, items, options.objective);
    return tf.div(loss, denominator);
  });
}

/** Σ over prompts of the K-wise loss; `scores` are [Σ K] in the order of items and answers. */
export function rankingLossTensor(
  scores: tf.Tensor1D,
  items: readonly Pick<RewardItem, "ranks" | "pairs">[],
  centerCoef = 0,
): tf.Scalar {
  const winners: number[] = [];
  const losers: number[] = [];
  const weights: number[] = [];
  let offset = 0;
  for (const item of items) {
    const pairs = pairsOf(item);
    for (const { winner, loser } of pairs) {
      winners.push(offset + winner);
      losers.push(offset + loser);
      weights.push(1 / pairs.length);
    }
    offset += item.ranks.length;
  }
  // All tied: 0 that still depends on the scores, so that every parameter has a gradient.
  if (weights.length === 0) return tf.mul(tf.sum<tf.Scalar>(scores), 0);
  const won = tf.gather(scores, tf.tensor1d(padded(winners), "int32"));
  const lost = tf.gather(scores, tf.tensor1d(padded(losers), "int32"));
  let losses: tf.Tensor = tf.softplus(tf.sub(lost, won)); // −log σ(r_w − r_l)
  if (centerCoef > 0) {
    losses = tf.add(losses, tf.mul(tf.square(tf.add(won, lost)), centerCoef));
  }
  return tf.sum(tf.mul(losses, tf.tensor1d(padded(weights))));
}

/** Σ over prompts of the mean over their answers of the cross-entropy or the squared error. */
function answerLossTensor(
  scores: tf.Tensor1D,
  items: readonly RewardItem[],
  objective: "classification" | "regression",
): tf.Scalar {
  const targets = tf.tensor1d(padded(items.flatMap((item) => item.targets)));
  const weights = tf.tensor1d(
    padded(items.flatMap((item) => item.targets.map(() => 1 / item.targets.length))),
  );
  const losses =
    objective === "classification"
      ? tf.sub(tf.softplus(scores), tf.mul(scores, targets)) // −t·log σ(s) − (1 − t)·log(1 − σ(s))
      : tf.square(tf.sub(tf.sigmoid(scores), targets));
  return tf.sum(tf.mul(losses, weights));
}
