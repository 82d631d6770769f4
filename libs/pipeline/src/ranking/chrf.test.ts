import { describe, expect, it } from "vitest";
import { chrf } from "./chrf.js";
import { ranksOf } from "./rank-by-score.js";

describe("chrf()", () => {
  it("is 1 for equal texts, 0 for texts with nothing in common, white space aside", () => {
    expect(chrf("The fox eats fish.", "The  fox eats\nfish.")).toBeCloseTo(1, 12);
    expect([chrf("abc", "xyz"), chrf("", "abc"), chrf("abc", "")]).toEqual([0, 0, 0]);
  });

  it("follows a case worked by hand", () => {
    // "ab" against "abc": orders 1, 2, 3 exist. Precision 1, 1, 0 (no 3-gram of ours): 2/3.
    // Recall 2/3, 1/2, 0: 7/18. F2 = 5·(2/3)(7/18) / (4·(2/3) + 7/18).
    expect(chrf("ab", "abc")).toBeCloseTo((5 * (2 / 3) * (7 / 18)) / ((4 * 2) / 3 + 7 / 18), 12);
  });

  it("orders answers by closeness", () => {
    const reference = "The fox lives in the forest.";
    const answers = ["forest", "The fox lives in the lake.", "The fox lives in the forest", "no"];
    const scores = answers.map((answer) => chrf(answer, reference));
    expect(scores[2]).toBeGreaterThan(scores[1]!);
    expect(scores[1]).toBeGreaterThan(scores[0]!);
    expect(scores[0]).toBeGreaterThan(scores[3]!);
  });
});

describe("ranksOf()", () => {
  it("gives 1 to the best, and ties one rank", () => {
    expect(ranksOf([0.2, 0.9, 0.2, 0.5])).toEqual([3, 1, 3, 2]);
  });
});
