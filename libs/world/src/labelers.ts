import { StagecraftError, type Random } from "@stagecraft/core";
import type { Ranking } from "@stagecraft/data";
import { CRITERIA, type GoldScore } from "./gold.js";

/**
 * How noisy the labelers are, in units of the gold total. They follow the Plackett–Luce model: an
 * answer's utility is gold / temperature plus standard Gumbel noise, and the order of utilities is
 * the ranking. For two answers, P(a above b) = sigmoid((gold_a − gold_b) / temperature).
 */
export const LABELER_TEMPERATURE = 0.05;

export const LABELERS: readonly string[] = ["Rosa", "Emil", "Thea", "Viktor", "Lotte"];

/**
 * A labeler's order of the answers: 1 is best. Answers with the same gold score are tied, because the
 * rubric cannot tell them apart. `scores` and `criteria` are the rubric's, before the noise.
 */
export function rankAnswers(
  scores: readonly GoldScore[],
  random: Random,
): Pick<Ranking, "ranks" | "rater" | "scores" | "criteria"> {
  const totals = scores.map((score) => score.total);
  const utilities = new Map<number, number>();
  for (const total of totals) {
    if (!utilities.has(total)) utilities.set(total, total / LABELER_TEMPERATURE + gumbel(random));
  }
  const order = [...utilities.keys()].sort((a, b) => utilities.get(b)! - utilities.get(a)!);
  return {
    ranks: totals.map((total) => order.indexOf(total) + 1),
    rater: random.pick(LABELERS),
    scores: totals,
    criteria: Object.fromEntries(
      CRITERIA.map((name) => [name, scores.map((s) => s.criteria[name])]),
    ),
  };
}

/**
 * The accuracy on strictly ordered pairs of the best possible judge, one that knows the gold scores:
 * the mean of sigmoid(|gap| / temperature). `sampled` is the share of pairs that the labelers in fact
 * ordered as the gold does; it scatters around `expected`.
 * Throws `invalid_argument` when a ranking has no gold scores or no pair is ordered.
 */
export function bayesPairAccuracy(rankings: Iterable<Ranking>): BayesPairAccuracy {
  let [numPairs, expected, sampled] = [0, 0, 0];
  for (const ranking of rankings) {
    for (const gap of orderedGaps(ranking)) {
      numPairs++;
      expected += 1 / (1 + Math.exp(-Math.abs(gap) / LABELER_TEMPERATURE));
      sampled += gap > 0 ? 1 : 0;
    }
  }
  if (numPairs === 0)
    throw new StagecraftError(
      "invalid_argument",
      "no ordered pair of answers in the rankings; ties give no pair",
    );
  return { numPairs, expected: expected / numPairs, sampled: sampled / numPairs };
}

export interface BayesPairAccuracy {
  readonly numPairs: number;
  readonly expected: number;
  readonly sampled: number;
}

/** Gold of the preferred answer minus gold of the other, for every strictly ordered pair. */
function orderedGaps({ id, ranks, scores }: Ranking): number[] {
  if (scores === undefined) {
    throw new StagecraftError(
      "invalid_argument",
      `ranking ${id ?? "without id"} has no scores; only the world's own labelers write them`,
    );
  }
  return ranks.flatMap((rank, i) =>
    ranks.flatMap((other, j) => (rank < other ? [scores[i]! - scores[j]!] : [])),
  );
}

function gumbel(random: Random): number {
  const uniform = (random.nextUint32() + 0.5) / 2 ** 32; // never 0 or 1
  return -Math.log(-Math.log(uniform));
}
