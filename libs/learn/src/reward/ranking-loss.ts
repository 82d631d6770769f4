/** log σ(x) = −softplus(−x), stable for any x [reference 7]. */
export function logSigmoid(x: number): number {
  return x >= 0 ? -Math.log1p(Math.exp(-x)) : x - Math.log1p(Math.exp(x));
}

/** 1/(1 + e^(−x)), stable for any x. */
export function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}

/** A strictly ordered pair of answers to one prompt. */
export interface RankedPair {
  winner: number;
  loser: number;
}

/** All strictly ordered pairs of one ranking (rank 1 = best); ties give no pair. */
export function rankedPairs(ranks: ArrayLike<number>): RankedPair[] {
  const pairs: RankedPair[] = [];
  for (let a = 0; a < ranks.length; a++) {
    for (let b = 0; b < ranks.length; b++) {
      if (ranks[a]! < ranks[b]!) pairs.push({ winner: a, loser: b });
    }
  }
  return pairs;
}

/** The pairs that count of a ranking: those it comes with, else all. */
export function pairsOf(ranking: {
  ranks: ArrayLike<number>;
  pairs?: readonly RankedPair[];
}): readonly RankedPair[] {
  return ranking.pairs ?? rankedPairs(ranking.ranks);
}

/**
 * The K-wise loss of one prompt [IG eq. 1]: −(1/n) Σ log σ(r_w − r_l) over its n strictly ordered
 * pairs, n = C(K, 2) without ties, with its gradient over the rewards. Float64. A ranking without
 * any pair (all tied) has loss 0.
 */
export function rankingLoss(
  rewards: ArrayLike<number>,
  ranks: ArrayLike<number>,
): { loss: number; gradient: Float64Array; numPairs: number } {
  const pairs = rankedPairs(ranks);
  const gradient = new Float64Array(rewards.length);
  let loss = 0;
  for (const { winner, loser } of pairs) {
    const margin = rewards[winner]! - rewards[loser]!;
    const push = sigmoid(-margin) / pairs.length;
    loss -= logSigmoid(margin) / pairs.length;
    gradient[winner]! -= push;
    gradient[loser]! += push;
  }
  return { loss, gradient, numPairs: pairs.length };
}
