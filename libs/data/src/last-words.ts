import type { Ranking } from "./types.js";

/** What is ranked: equal texts for the same answers to the same prompt, in whatever order shown. */
export function rankedMatter({ prompt, answers }: Pick<Ranking, "prompt" | "answers">): string {
  const messages = prompt.map(({ role, content }) => [role, content]);
  return JSON.stringify([messages, [...answers].sort()]);
}

/**
 * The rankings that stand: where one rater ranked the same answers more than once, the last in the
 * place of the first. Rankings without a rater may be of different people and all stand.
 */
export function lastWords(rankings: readonly Ranking[]): Ranking[] {
  const standing = new Map<string, Ranking>();
  rankings.forEach((ranking, index) => {
    const { rater = "" } = ranking;
    const key = rater === "" ? String(index) : JSON.stringify([rater, rankedMatter(ranking)]);
    standing.set(key, ranking);
  });
  return [...standing.values()];
}
