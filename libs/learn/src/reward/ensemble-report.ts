import { meanOf, present } from "@stagecraft/core";
import { combineScores } from "./reward-model.js";
import { pairsOf } from "./ranking-loss.js";
import { correlation, rankingReport, type Bin, type ScoredRanking } from "./ranking-metrics.js";

/** What the members of an ensemble make of held-out rankings. */
export interface EnsembleReport {
  numMembers: number;
  /** Held-out pair accuracy of every member alone; null over no pair. */
  memberAccuracies: (number | null)[];
  /** Mean over answers of the standard deviation over members. */
  disagreement?: number;
  /**
   * Accuracy of the mean in terciles of std/(std + |mean|) of the members' margins of a pair, which
   * is `center`: 0 = one voice, 1 = no verdict. It should fall: then disagreement is a sign of error.
   * (The bare std is not: it grows with the margin, and large margins are the surer ones.)
   */
  byDisagreement: Bin[];
  /** Pearson's r of disagreement and answer length. */
  lengthCorrelation?: number;
}

/** `scores` are [members][answers], answers in the order of the rankings. */
export function ensembleReport(
  scores: readonly (readonly number[])[],
  rankings: readonly Omit<ScoredRanking, "scores">[],
): EnsembleReport {
  const combined = combineScores(scores);
  const pairs = judgedPairs(scores, rankings).sort((a, b) => a.disagreement - b.disagreement);
  return present({
    numMembers: scores.length,
    memberAccuracies: scores.map(
      (own) => rankingReport(withScores(own, rankings)).accuracy ?? null,
    ),
    disagreement: meanOf(combined.map(({ std }) => std)),
    byDisagreement: terciles(pairs),
    lengthCorrelation: correlation(
      combined.map(({ std }) => std),
      rankings.flatMap(({ lengths }) => [...lengths]),
    ),
  });
}

interface JudgedPair {
  /** std/(std + |mean|) over members of r_w − r_l. */
  disagreement: number;
  /** Mean over members of r_w − r_l. */
  margin: number;
}

function judgedPairs(
  scores: readonly (readonly number[])[],
  rankings: readonly Omit<ScoredRanking, "scores">[],
): JudgedPair[] {
  let offset = 0;
  return rankings.flatMap((ranking) => {
    const start = offset;
    offset += ranking.ranks.length;
    return pairsOf(ranking).map(({ winner, loser }) => {
      const margins = scores.map((own) => [own[start + winner]! - own[start + loser]!]);
      const { mean: margin, std } = combineScores(margins)[0]!;
      const size = std + Math.abs(margin);
      return { margin, disagreement: size === 0 ? 0 : std / size };
    });
  });
}

function withScores(
  scores: readonly number[],
  rankings: readonly Omit<ScoredRanking, "scores">[],
): ScoredRanking[] {
  let offset = 0;
  return rankings.map((ranking) => ({
    ...ranking,
    scores: scores.slice(offset, (offset += ranking.ranks.length)),
  }));
}

const NUM_BINS = 3;

function terciles(sorted: readonly JudgedPair[]): Bin[] {
  const at = (i: number) => Math.floor((i * sorted.length) / NUM_BINS);
  return Array.from({ length: NUM_BINS }, (_, i) => sorted.slice(at(i), at(i + 1)))
    .filter((bin) => bin.length > 0)
    .map((bin) => ({
      center: meanOf(bin.map(({ disagreement }) => disagreement))!,
      accuracy: meanOf(bin.map(({ margin }) => (margin === 0 ? 0.5 : margin > 0 ? 1 : 0)))!,
      count: bin.length,
    }));
}
