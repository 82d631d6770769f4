/** Ranks from scores: 1 is the highest, equal scores share a rank, ranks have no holes. */
export function ranksOf(scores: readonly number[]): number[] {
  const order = [...new Set(scores)].sort((a, b) => b - a);
  return scores.map((score) => order.indexOf(score) + 1);
}
