import { createRandom } from "@stagecraft/core";
import type { Ranking } from "@stagecraft/data";
import { describe, expect, it } from "vitest";
import type { GoldScore } from "./gold.js";
import { bayesPairAccuracy, LABELER_TEMPERATURE, rankAnswers } from "./labelers.js";

const criteria = { helpful: 1, honest: 1, harmless: 1, clear: 1, relevant: 1 };
const gold = (...totals: number[]): GoldScore[] => totals.map((total) => ({ total, criteria }));

function rankMany(scores: GoldScore[], count: number, seed: number): Ranking[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => ({
    prompt: [],
    answers: scores.map(() => ""),
    ...rankAnswers(scores, random),
  }));
}

describe("rankAnswers()", () => {
  it("prefers the better answer with probability sigmoid(gap / temperature)", () => {
    const gap = 0.06;
    const rankings = rankMany(gold(0.5 + gap, 0.5), 20_000, 1);
    const share = rankings.filter(({ ranks }) => ranks[0]! < ranks[1]!).length / rankings.length;
    const expected = 1 / (1 + Math.exp(-gap / LABELER_TEMPERATURE));
    // Four standard errors: 4·√(.77·.23 / 20000) = .012.
    expect(Math.abs(share - expected)).toBeLessThan(0.012);
  });

  it("keeps that probability whatever else is ranked", () => {
    const rankings = rankMany(gold(0.9, 0.56, 0.5, 0.2), 20_000, 2);
    const share = rankings.filter(({ ranks }) => ranks[1]! < ranks[2]!).length / rankings.length;
    expect(Math.abs(share - 1 / (1 + Math.exp(-0.06 / LABELER_TEMPERATURE)))).toBeLessThan(0.012);
  });

  it("ties answers that the rubric cannot tell apart", () => {
    const { ranks } = rankAnswers(gold(0.5, 0.9, 0.5), createRandom(1));
    expect(ranks[0]).toBe(ranks[2]);
    expect(new Set(ranks)).toEqual(new Set([1, 2]));
  });
});

describe("bayesPairAccuracy()", () => {
  it("is what a judge with the gold scores reaches", () => {
    const random = createRandom(3);
    const rankings = Array.from({ length: 4000 }, (_, i) => {
      const scores = gold(random.nextFloat(), random.nextFloat());
      return rankMany(scores, 1, i)[0]!;
    });
    const { expected, sampled, numPairs } = bayesPairAccuracy(rankings);
    expect(numPairs).toBe(4000);
    // Four standard errors of a share near .93 over 4000 independent pairs: .016.
    expect(Math.abs(expected - sampled)).toBeLessThan(0.016);
    expect(expected).toBeGreaterThan(0.5);
  });

  it("counts no tied pair and refuses rankings without gold scores", () => {
    const [tied] = rankMany(gold(0.5, 0.5), 1, 1);
    expect(() => bayesPairAccuracy([tied!])).toThrow("no ordered pair");
    const bare: Ranking = { id: "r7", prompt: [], answers: ["a", "b"], ranks: [1, 2] };
    expect(() => bayesPairAccuracy([bare])).toThrow("ranking r7 has no scores");
  });
});
