import { lastWords, rankedMatter, type Ranking } from "@stagecraft/data";

/** How far raters of the same answers agree: what no reward model can be expected to exceed by much. */
export interface RaterAgreement {
  /** Prompts whose same answers were ranked by two raters or more. */
  numPrompts: number;
  /** Raters among them. */
  numRaters: number;
  /** Pairs of answers that two raters both put in a strict order. */
  numPairs: number;
  /** Share of these pairs on which they agree ([IG] reports .73 among its labellers). */
  pairAgreement?: number;
  /** Krippendorff's α of the ranks, ordinal: 1 = perfect, 0 = chance, below 0 = opposed. */
  alpha: number;
}

/** Agreement over prompts that several raters ranked; undefined when there are none. */
export function raterAgreement(rankings: readonly Ranking[]): RaterAgreement | undefined {
  const groups = [...groupByAnswers(rankings).values()].filter((byRater) => byRater.size > 1);
  if (groups.length === 0) return undefined;
  const tables = groups.map((byRater) => [...byRater.values()]);
  const { agreed, compared } = comparePairs(tables);
  const units = tables.flatMap((ranks) =>
    ranks[0]!.map((_, answer) => ranks.map((r) => r[answer]!)),
  );
  return {
    numPrompts: groups.length,
    numRaters: new Set(groups.flatMap((byRater) => [...byRater.keys()])).size,
    numPairs: compared,
    ...(compared > 0 && { pairAgreement: agreed / compared }),
    alpha: ordinalAlpha(units),
  };
}

/** Ranks by rater, answers in one order, for every prompt with the same set of answers. */
function groupByAnswers(rankings: readonly Ranking[]): Map<string, Map<string, number[]>> {
  const groups = new Map<string, Map<string, number[]>>();
  lastWords(rankings).forEach((ranking, index) => {
    const { answers, ranks, rater } = ranking;
    const order = answers.map((_, i) => i).sort((a, b) => compareText(answers[a]!, answers[b]!));
    const byRater = groups.get(rankedMatter(ranking)) ?? new Map<string, number[]>();
    const inOrder = order.map((i) => ranks[i]!);
    groups.set(rankedMatter(ranking), byRater.set(rater || `unnamed ${index}`, inOrder));
  });
  return groups;
}

function comparePairs(tables: readonly number[][][]): { agreed: number; compared: number } {
  let agreed = 0;
  let compared = 0;
  for (const raters of tables) {
    forPairs(raters.length, (one, other) => {
      const [x, y] = [raters[one]!, raters[other]!];
      forPairs(x.length, (a, b) => {
        const product = (x[a]! - x[b]!) * (y[a]! - y[b]!);
        if (product === 0) return; // a tie of either rater says nothing
        compared++;
        if (product > 0) agreed++;
      });
    });
  }
  return { agreed, compared };
}

/**
 * Krippendorff's α for ordinal values: 1 − D_o/D_e with δ²(c, k) = (Σ_{g=c..k} n_g − (n_c + n_k)/2)²
 * (Krippendorff 2011, "Computing Krippendorff's alpha-reliability"). A unit is the list of values
 * that it was given; units with fewer than two count for nothing. 1 when all values are equal.
 */
export function ordinalAlpha(units: readonly (readonly number[])[]): number {
  const usable = units.filter((values) => values.length > 1);
  const values = [...new Set(usable.flat())].sort((a, b) => a - b);
  const index = new Map(values.map((value, i) => [value, i]));
  const coincidences = values.map(() => new Float64Array(values.length));
  for (const unit of usable) {
    unit.forEach((c, i) =>
      unit.forEach((k, j) => {
        if (i !== j) coincidences[index.get(c)!]![index.get(k)!]! += 1 / (unit.length - 1);
      }),
    );
  }
  const totals = coincidences.map((row) => row.reduce((sum, count) => sum + count, 0));
  const n = totals.reduce((sum, count) => sum + count, 0);
  let observed = 0;
  let expected = 0;
  forPairs(values.length, (c, k) => {
    const between = totals.slice(c, k + 1).reduce((sum, count) => sum + count, 0);
    const distance = (between - (totals[c]! + totals[k]!) / 2) ** 2;
    observed += coincidences[c]![k]! * distance;
    expected += (totals[c]! * totals[k]! * distance) / (n - 1);
  });
  return expected === 0 ? 1 : 1 - observed / expected;
}

function forPairs(count: number, body: (a: number, b: number) => void): void {
  for (let a = 0; a < count; a++) for (let b = a + 1; b < count; b++) body(a, b);
}

const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
