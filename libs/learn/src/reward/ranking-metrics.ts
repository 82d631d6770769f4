import { logSigmoid, rankedPairs, sigmoid } from "./ranking-loss.js";

/** One judged prompt: what the reward model says beside what the rater said. */
export interface ScoredRanking {
  scores: readonly number[];
  ranks: readonly number[];
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

export interface RankingReport {
  /** Share of strictly ordered pairs that the model orders as the rater did; equal scores count ½. */
  accuracy: number;
  /** Mean −log σ(r_w − r_l) over pairs. */
  crossEntropy: number;
  /** Expected calibration error: Σ share·|confidence − accuracy| over ten equal bins of confidence. */
  calibrationError: number;
  calibration: Bin[];
  /** Accuracy in quintiles of |r_a − r_b|; should rise. */
  byMargin: Bin[];
  /** Accuracy where the better answer is shorter, of similar length (within 10 %), or longer. */
  byLength: { shorterWins: number; similar: number; longerWins: number };
  /** Pearson correlation of score and answer length; near ±1 = the model measures length. */
  lengthCorrelation: number;
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
  return {
    accuracy: accuracyOf(pairs),
    crossEntropy: mean(pairs.map(({ margin }) => -logSigmoid(margin))),
    calibrationError: calibration.reduce(
      (sum, bin) => sum + (bin.count / pairs.length) * Math.abs(bin.center - bin.accuracy),
      0,
    ),
    calibration,
    byMargin: byMargin(pairs),
    byLength: byLength(pairs),
    lengthCorrelation: correlation(
      rankings.flatMap(({ scores }) => [...scores]),
      rankings.flatMap(({ lengths }) => [...lengths]),
    ),
    numPairs: pairs.length,
  };
}

function judge({ scores, ranks, lengths }: ScoredRanking): Judged[] {
  return rankedPairs(ranks).map(({ winner, loser }) => ({
    margin: scores[winner]! - scores[loser]!,
    winnerLength: lengths[winner]!,
    loserLength: lengths[loser]!,
  }));
}

const agreement = ({ margin }: Judged): number => (margin === 0 ? 0.5 : margin > 0 ? 1 : 0);

function accuracyOf(pairs: readonly Judged[]): number {
  return mean(pairs.map(agreement));
}

const NUM_CALIBRATION_BINS = 10;

/** Pairs by the confidence of the predicted side, σ(|margin|) ∈ [.5, 1]; empty bins are left out. */
function calibrationCurve(pairs: readonly Judged[]): Bin[] {
  const bins: Judged[][] = Array.from({ length: NUM_CALIBRATION_BINS }, () => []);
  for (const pair of pairs) {
    const index = Math.floor((sigmoid(Math.abs(pair.margin)) - 0.5) * 2 * NUM_CALIBRATION_BINS);
    bins[Math.min(NUM_CALIBRATION_BINS - 1, index)]!.push(pair);
  }
  return bins
    .filter((bin) => bin.length > 0)
    .map((bin) => ({
      center: mean(bin.map(({ margin }) => sigmoid(Math.abs(margin)))),
      accuracy: accuracyOf(bin),
      count: bin.length,
    }));
}

const NUM_MARGIN_BINS = 5;

function byMargin(pairs: readonly Judged[]): Bin[] {
  const sorted = [...pairs].sort((a, b) => Math.abs(a.margin) - Math.abs(b.margin));
  return Array.from({ length: NUM_MARGIN_BINS }, (_, i) =>
    sorted.slice(
      Math.floor((i * sorted.length) / NUM_MARGIN_BINS),
      Math.floor(((i + 1) * sorted.length) / NUM_MARGIN_BINS),
    ),
  )
    .filter((bin) => bin.length > 0)
    .map((bin) => ({
      center: mean(bin.map(({ margin }) => Math.abs(margin))),
      accuracy: accuracyOf(bin),
      count: bin.length,
    }));
}

const SIMILAR_LENGTH = 0.1;

function byLength(pairs: readonly Judged[]): RankingReport["byLength"] {
  const isSimilar = ({ winnerLength, loserLength }: Judged) =>
    Math.abs(winnerLength - loserLength) <= SIMILAR_LENGTH * Math.max(winnerLength, loserLength);
  const different = pairs.filter((pair) => !isSimilar(pair));
  return {
    shorterWins: accuracyOf(different.filter((pair) => pair.winnerLength < pair.loserLength)),
    similar: accuracyOf(pairs.filter(isSimilar)),
    longerWins: accuracyOf(different.filter((pair) => pair.winnerLength > pair.loserLength)),
  };
}

/** Pearson's r; 0 when one side does not vary. */
export function correlation(x: readonly number[], y: readonly number[]): number {
  const [meanX, meanY] = [mean(x), mean(y)];
  const covariance = mean(x.map((value, i) => (value - meanX) * (y[i]! - meanY)));
  const spread = Math.sqrt(
    mean(x.map((value) => (value - meanX) ** 2)) * mean(y.map((value) => (value - meanY) ** 2)),
  );
  return spread === 0 ? 0 : covariance / spread;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
