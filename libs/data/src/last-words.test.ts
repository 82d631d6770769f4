import { describe, expect, it } from "vitest";
import { lastWords, rankedMatter } from "./last-words.js";
import type { Ranking } from "./types.js";

const ranking = (rater: string | undefined, answers: string[], ranks: number[]): Ranking => ({
  prompt: [{ role: "user", content: "Q" }],
  ...{ answers, ranks },
  ...(rater !== undefined && { rater }),
});

describe("lastWords()", () => {
  it("counts a rater's second ranking of the same answers instead of the first, shown in any order", () => {
    const first = ranking("ann", ["a", "b"], [1, 2]);
    const bob = ranking("bob", ["a", "b"], [1, 2]);
    const other = ranking("ann", ["a", "c"], [1, 2]);
    const second = ranking("ann", ["b", "a"], [1, 2]);
    expect(lastWords([first, bob, other, second])).toEqual([second, bob, other]);
  });

  it("keeps every ranking that names no rater", () => {
    const nameless = [undefined, undefined, ""].map((rater) => ranking(rater, ["a", "b"], [1, 2]));
    expect(lastWords(nameless)).toEqual(nameless);
  });
});

describe("rankedMatter()", () => {
  it("tells prompts and answers apart, and reads nothing but role and content", () => {
    const one = rankedMatter(ranking("ann", ["a", "b"], [1, 2]));
    expect(rankedMatter(ranking("ann", ["b", "a"], [1, 2]))).toBe(one);
    expect(rankedMatter(ranking("ann", ["b", "a", "a"], [1, 2, 2]))).not.toBe(one);
    const shuffled = { content: "Q", role: "user" } as const;
    expect(rankedMatter({ prompt: [shuffled], answers: ["a", "b"] })).toBe(one);
  });
});
