import { StagecraftError } from "@stagecraft/core";

export interface WinRate {
  readonly wins: number;
  readonly losses: number;
  readonly ties: number;
  /** (wins + ties / 2) / pairs */
  readonly rate: number;
  /** 95 % Wilson score interval of the rate; conservative, since ties vary less than wins do. */
  readonly interval: readonly [low: number, high: number];
}

/**
 * How often `scores` beat `baseline` on the same prompts, in order. Differences of at most `tieMargin`
 * (default 0) are ties. Throws `invalid_argument` for lists of different length or no pair.
 */
export function winRate(
  scores: readonly number[],
  baseline: readonly number[],
  { tieMargin = 0 }: { tieMargin?: number } = {},
): WinRate {
  if (scores.length !== baseline.length || scores.length === 0) {
    throw new StagecraftError(
      "invalid_argument",
      `a win rate needs two equally long lists of scores, got ${scores.length} and ${baseline.length}`,
    );
  }
  const gaps = scores.map((score, i) => score - baseline[i]!);
  const wins = gaps.filter((gap) => gap > tieMargin).length;
  const losses = gaps.filter((gap) => gap < -tieMargin).length;
  const ties = gaps.length - wins - losses;
  const rate = (wins + ties / 2) / gaps.length;
  return { wins, losses, ties, rate, interval: wilsonInterval(rate, gaps.length) };
}

/** Wilson's score interval of a proportion (Wilson 1927); z = 1.96 for 95 %. */
export function wilsonInterval(rate: number, count: number, z = 1.96): readonly [number, number] {
  const center = (rate + (z * z) / (2 * count)) / (1 + (z * z) / count);
  const spread = Math.sqrt((rate * (1 - rate)) / count + (z * z) / (4 * count * count));
  const half = (z * spread) / (1 + (z * z) / count);
  return [Math.max(0, center - half), Math.min(1, center + half)];
}
