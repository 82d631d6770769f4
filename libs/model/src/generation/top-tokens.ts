import { softmaxWeights } from "./softmax-weights.js";

/** A token that could stand somewhere, and how likely. */
export interface TopToken {
  readonly id: number;
  /** log of its probability under softmax(logits / temperature). */
  readonly logProb: number;
}

export interface TopTokensOptions {
  /** 0 counts as 1, as for log-probs. */
  temperature: number;
  count: number;
  /** Its log-prob is taken over, so that one token never has two. */
  drawn: TopToken;
}

/**
 * The likeliest tokens of logits [V], most likely first, equal ones by their id. Throws `internal` when
 * the logits are not finite.
 */
export function topTokens(
  logits: Float32Array,
  { temperature, count, drawn }: TopTokensOptions,
): TopToken[] {
  if (count === 0) return [];
  const divisor = temperature || 1;
  const { sum, max } = softmaxWeights(logits, divisor, scratch);
  return likeliest(logits, count).map((id) => {
    if (id === drawn.id) return { id, logProb: drawn.logProb };
    return { id, logProb: (logits[id]! - max) / divisor - Math.log(sum) };
  });
}

/** log softmax(logits) of one token; throws `internal` when the logits are not finite. */
export function logSoftmaxAt(logits: Float32Array, id: number): number {
  const { sum, max } = softmaxWeights(logits, 1, scratch);
  return logits[id]! - max - Math.log(sum);
}

const scratch = { values: new Float64Array(0) };

function likeliest(logits: Float32Array, count: number): number[] {
  const ids: number[] = [];
  let least = -Infinity;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]!;
    if (ids.length === count && logit <= least) continue;
    let at = ids.length;
    while (at > 0 && logits[ids[at - 1]!]! < logit) at--;
    ids.splice(at, 0, id);
    if (ids.length > count) ids.pop();
    least = logits[ids.at(-1)!]!;
  }
  return ids;
}
