/**
 * How far people agree about ranks.
 *
 * Kendall's W: M. G. Kendall and B. Babington Smith, "The Problem of m Rankings" (1939), with the usual
 * correction for ties. Krippendorff's α with the ordinal metric: K. Krippendorff, "Computing
 * Krippendorff's Alpha-Reliability" (2011); a unit is one answer of one comparison, its values the ranks
 * that people gave it. Ties become the mean of the ranks that they take up, so that 1,1,2 and 1,1,3 agree.
 */

/** What several people said about the answers of one comparison: a row of ranks for each person. */
export type RankRows = readonly (readonly number[])[];

/** Ranks 1 to n with ties as means: [1, 1, 3] → [1.5, 1.5, 3]. */
export function meanRanks(ranks: readonly number[]): number[] {
  return ranks.map((rank) => {
    const below = ranks.filter((other) => other < rank).length;
    const equal = ranks.filter((other) => other === rank).length;
    return below + (equal + 1) / 2;
  });
}

/** From 0 (no agreement) to 1; null with fewer than two people, or when everybody ties everything. */
export function kendallW(rows: RankRows): number | null {
  const m = rows.length;
  const n = rows[0]?.length ?? 0;
  if (m < 2 || n < 2) return null;
  const means = rows.map(meanRanks);
  const sums = Array.from({ length: n }, (_, i) => sum(means.map((row) => row[i]!)));
  const average = sum(sums) / n;
  const deviation = sum(sums.map((s) => (s - average) ** 2));
  const ties = sum(rows.map(tieTerm));
  const most = m ** 2 * (n ** 3 - n) - m * ties;
  return most === 0 ? null : (12 * deviation) / most;
}

/** Σ (t³ − t) over the groups of t ties. */
function tieTerm(ranks: readonly number[]): number {
  const sizes = new Map<number, number>();
  for (const rank of ranks) sizes.set(rank, (sizes.get(rank) ?? 0) + 1);
  return sum([...sizes.values()].map((t) => t ** 3 - t));
}

/** See `ordinalAlpha`; over the answers of comparisons that two or more people ranked. */
export function krippendorffAlpha(comparisons: readonly RankRows[]): number | null {
  const several = comparisons.filter((rows) => rows.length >= 2);
  return ordinalAlpha(
    several.flatMap((rows) => {
      const means = rows.map(meanRanks);
      return means[0]!.map((_, i) => means.map((row) => row[i]!));
    }),
  );
}

/**
 * Krippendorff's α of units that each got two or more values: 1 = full agreement, 0 = as by chance; null
 * without units, or when all values are the same.
 */
export function ordinalAlpha(units: readonly (readonly number[])[]): number | null {
  const counts = new Map<number, number>();
  for (const value of units.flat()) counts.set(value, (counts.get(value) ?? 0) + 1);
  const numValues = sum([...counts.values()]);
  const distance = ordinalDistance(counts);
  const observed = sum(units.map((unit) => sum(pairs(unit, distance)) / (unit.length - 1)));
  let expected = 0;
  for (const [a, countA] of counts) {
    for (const [b, countB] of counts) expected += countA * countB * distance(a, b);
  }
  if (expected === 0) return null;
  return 1 - ((numValues - 1) * observed) / expected;
}

/** Over ordered pairs. */
function pairs(values: readonly number[], distance: (a: number, b: number) => number): number[] {
  return values.flatMap((a, i) => values.flatMap((b, j) => (i === j ? [] : [distance(a, b)])));
}

/** δ²(a, b): the square of how many values lie from a to b, the two ends by half. */
function ordinalDistance(counts: ReadonlyMap<number, number>) {
  const upTo = new Map<number, number>();
  let total = 0;
  for (const [value, count] of [...counts].sort(([a], [b]) => a - b)) {
    upTo.set(value, total + count / 2); // the middle of the value's own ones
    total += count;
  }
  return (a: number, b: number) => (upTo.get(a)! - upTo.get(b)!) ** 2;
}

/** Share of the pairs with a right order that a person ordered so; null without such a pair. A tie is half right. */
export function goldPairs(
  gold: readonly number[],
  ranks: readonly number[],
): { right: number; pairs: number } {
  let [right, count] = [0, 0];
  for (let i = 0; i < gold.length; i++) {
    for (let j = i + 1; j < gold.length; j++) {
      const truth = Math.sign(gold[i]! - gold[j]!);
      if (truth === 0) continue;
      count++;
      const said = Math.sign(ranks[i]! - ranks[j]!);
      right += said === truth ? 1 : said === 0 ? 0.5 : 0;
    }
  }
  return { right, pairs: count };
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
