import { rankedPairs, type RankedPair } from "./ranking-loss.js";

/** The answers of one ranking as the model can read them. */
export interface FittedAnswers {
  /** One an answer; too long ones have lost their beginning, so that the answer's end stays. */
  sequences: Int32Array[];
  /** Strictly ordered pairs, without those that cutting made identical. */
  pairs: RankedPair[];
  /** Answers that were cut, and pairs that became identical by it. */
  numCut: number;
  numAlike: number;
}

/**
 * At most `maxLength` tokens: the first, which says that a conversation starts, and the newest, so
 * that the answer stays whole as long as it can. Training and the reward service cut alike.
 */
export function keepEnd(ids: Int32Array, maxLength: number): Int32Array {
  if (ids.length <= maxLength) return ids;
  const kept = ids.slice(ids.length - maxLength);
  kept[0] = ids[0]!;
  return kept;
}

/** Cuts whole sequences to `maxLength` tokens as `keepEnd` does. */
export function fitAnswers(
  whole: readonly Int32Array[],
  ranks: ArrayLike<number>,
  maxLength: number,
): FittedAnswers {
  const isCut = whole.map((ids) => ids.length > maxLength);
  const sequences = whole.map((ids) => keepEnd(ids, maxLength));
  const isAlike = ({ winner, loser }: RankedPair) =>
    (isCut[winner]! || isCut[loser]!) && isEqual(sequences[winner]!, sequences[loser]!);
  const all = rankedPairs(ranks);
  const pairs = all.filter((pair) => !isAlike(pair));
  const numAlike = all.length - pairs.length;
  return { sequences, pairs, numCut: isCut.filter(Boolean).length, numAlike };
}

function isEqual(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}
