/**
 * chrF (Popović 2015): how much of two texts agrees, as the F-score of their character n-grams of
 * length 1 to 6, averaged over the lengths; recall counts twice as much as precision (β = 2).
 * From 0 (nothing in common) to 1 (equal but for white space).
 */
export function chrf(answer: string, reference: string): number {
  const [a, b] = [answer, reference].map((text) => text.replace(/\s+/g, ""));
  let [precision, recall, numOrders] = [0, 0, 0];
  for (let n = 1; n <= MAX_ORDER; n++) {
    const [ours, theirs] = [ngrams(a!, n), ngrams(b!, n)];
    if (ours.total === 0 && theirs.total === 0) continue;
    const common = overlap(ours.counts, theirs.counts);
    precision += ours.total === 0 ? 0 : common / ours.total;
    recall += theirs.total === 0 ? 0 : common / theirs.total;
    numOrders++;
  }
  if (precision === 0 || recall === 0) return 0;
  [precision, recall] = [precision / numOrders, recall / numOrders];
  return ((1 + BETA ** 2) * precision * recall) / (BETA ** 2 * precision + recall);
}

const MAX_ORDER = 6;
const BETA = 2;

function ngrams(text: string, n: number): { counts: Map<string, number>; total: number } {
  const counts = new Map<string, number>();
  const total = Math.max(0, text.length - n + 1);
  for (let i = 0; i < total; i++) {
    const gram = text.slice(i, i + n);
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return { counts, total };
}

function overlap(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number {
  let common = 0;
  for (const [gram, count] of a) common += Math.min(count, b.get(gram) ?? 0);
  return common;
}
