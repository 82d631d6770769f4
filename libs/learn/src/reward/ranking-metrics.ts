import { meanOf, present } from "@stagecraft/core";
import { logSigmoid, pairsOf, sigmoid, type RankedPair } from "./ranking-loss.js";

/** One judged prompt: what the reward model says beside what the rater said. */
export interface ScoredRanking {
  scores: readonly number[];
  ranks: readonly number[];
  /** Default: all strictly ordered pairs. */
  pairs?: readonly RankedPair[];
  /** Answer lengths in tokens, for the length analysis. */
  lengths: readonly number[];
}

export interface Bin {
  /** What the bin is about, e.g. the mean predicted probability or the mean margin. */
  center: number;
  /** Share of pairs in which the model agrees with the rater (of the predicted side, in calibration). */
  accuracy: number;
  count: number;
}

/** Figures over no pair at all are absent. */
export interface RankingReport {
  /** Share of strictly ordered pairs that the model orders as the rater did; equal scores count ½. */
  accuracy?: number;
  /** Mean −log σ(r_w − r_l) over pairs. */
  crossEntropy?: number;
  /** Expected calibration error: Σ share·|confidence − accuracy| over ten equal bins of confidence. */
  calibrationError?: number;
  calibration: Bin[];
  /** Accuracy in quintiles of |r_a − r_b|; should rise. */
  byMargin: Bin[];
  /** Accuracy where the better answer is shorter, of similar length (within 10 %), or longer. */
  byLength: { shorterWins?: number; similar?: number; longerWins?: number };
  /**
   * Pearson correlation of score and answer length; near ±1 = the model measures length. Absent where
   * one of them does not vary.
   */
  lengthCorrelation?: number;
  numPairs: number;
}

interface Judged {
  margin: number;
  winnerLength: number;
  loserLength: number;
}

/** Judges a reward model on held-out rankings. */
export function rankingReport(rankings: readonly ScoredRanking[]): RankingReport {
  const pairs = rankings.flatMap(judge);
  const calibration = calibrationCurve(pairs);
  const errors = calibration.map((bin) => bin.count * Math.abs(bin.center - bin.accuracy));
  return present({
    accuracy: accuracyOf(pairs),
    crossEntropy: meanOf(pairs.map(({ margin }) => -logSigmoid(margin))),
    calibrationError:
      pairs.length === 0 ? undefined : errors.reduce((sum, error) => sum + error, 0) / pairs.length,
    calibration,
    byMargin: byMargin(pairs),
    byLength: byLength(pairs),
    lengthCorrelation: correlation(
      rankings.flatMap(({ scores }) => [...scores]),
      rankings.flatMap(({ lengths }) => [...lengths]),
    ),
    numPairs: pairs.length,
  });
}

function judge(ranking: ScoredRanking): Judged[] {
  const { scores, lengths } = ranking;
  return pairsOf(ranking).map(({ winner, loser }) => ({
    margin: scores[winner]! - scores[loser]!,
    winnerLength: lengths[winner]!,
    loserLength: lengths[loser]!,
  }));
}

const agreement = ({ margin }: Judged): number => (margin === 0 ? 0.5 : margin > 0 ? 1 : 0);

function accuracyOf(pairs: readonly Judged[]): number | undefined {
  return meanOf(pairs.map(agreement));
}

const NUM_CALIBRATION_BINS = 10;

/** Pairs by the confidence of the predicted side, σ(|margin|) ∈ [.5, 1]; empty bins are left out. */
function calibrationCurve(pairs: readonly Judged[]): Bin[] {
  const bins: Judged[][] = Array.from({ length: NUM_CALIBRATION_BINS }, () => []);
  for (const pair of pairs) {
    const index = Math.floor((sigmoid(Math.abs(pair.margin)) - 0.5) * 2 * NUM_CALIBRATION_BINS);
    bins[Math.min(NUM_CALIBRATION_BINS - 1, index)]!.push(pair);
  }
  return bins.flatMap((bin) => toBin(bin, ({ margin }) => sigmoid(Math.abs(margin))));
}

const NUM_MARGIN_BINS = 5;

function byMargin(pairs: readonly Judged[]): Bin[] {
  const sorted = [...pairs].sort((a, b) => Math.abs(a.margin) - Math.abs(b.margin));
  return Array.from({ length: NUM_MARGIN_BINS }, (_, i) =>
    sorted.slice(
      Math.floor((i * sorted.length) / NUM_MARGIN_BINS),
      Math.floor(((i + 1) * sorted.length) / NUM_MARGIN_BINS),
    ),
  ).flatMap((bin) => toBin(bin, ({ margin }) => Math.abs(margin)));
}

/** No bin of nothing. */
function toBin(pairs: readonly Judged[], valueOf: (pair: Judged) => number): Bin[] {
  const [center, accuracy] = [meanOf(pairs.map(valueOf)), accuracyOf(pairs)];
  if (center === undefined || accuracy === undefined) return [];
  return [{ center, accuracy, count: pairs.length }];
}

const SIMILAR_LENGTH = 0.1;

function byLength(pairs: readonly Judged[]): RankingReport["byLength"] {
  const isSimilar = ({ winnerLength, loserLength }: Judged) =>
    Math.abs(winnerLength - loserLength) <= SIMILAR_LENGTH * Math.max(winnerLength, loserLength);
  const different = pairs.filter((pair) => !isSimilar(pair));
  return present({
    shorterWins: accuracyOf(different.filter((pair) => pair.winnerLength < pair.loserLength)),
    similar: accuracyOf(pairs.filter(isSimilar)),
    longerWins: accuracyOf(different.filter((pair) => pair.winnerLength > pair.loserLength)),
  });
}

/** Pearson's r; undefined when one side does not vary. */
export function correlation(x: readonly number[], y: readonly number[]): number | undefined {
  const [meanX = 0, meanY = 0] = [meanOf(x), meanOf(y)];
  const sum = (of: (i: number) => number) => x.reduce((total, _, i) => total + of(i), 0);
  const covariance = sum((i) => (x[i]! - meanX) * (y[i]! - meanY));
  const spread = Math.sqrt(sum((i) => (x[i]! - meanX) ** 2) * sum((i) => (y[i]! - meanY) ** 2));
  return spread === 0 ? undefined : covariance / spread;
}
