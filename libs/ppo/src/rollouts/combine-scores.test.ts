import { describe, expect, it } from "vitest";
import { combineAnswerScores, parseScoreWeights } from "./combine-scores.js";

const answer = {
  taskId: "u000000-000000",
  responseIds: Int32Array.of(1, 2, 3, 1, 2, 3),
  score: 2,
  extraScores: { gold: 9, polite: 0.5, "reward.uncertainty": 0.25 },
};
const combine = (
  weights: string[],
  more: { scale?: number; zero?: number; uncertaintyPenalty?: number } = {},
) =>
  combineAnswerScores(answer, true, {
    scale: 1,
    uncertaintyPenalty: 0,
    weights: parseScoreWeights(weights),
    ...more,
  });

describe("combineAnswerScores()", () => {
  it("is the score alone when nothing else is weighed", () => expect(combine([])).toBe(2));

  it("adds other models' and programmatic scores by weight", () => {
    expect(combine(["polite=2"])).toBe(3);
    expect(combine(["length=-0.1", "ended=1"])).toBeCloseTo(2 - 0.6 + 1, 12);
    expect(combine(["repetition=-1"])).toBe(2 - 0.25); // 123 231 312 123: one of four is old
  });

  it("counts from the mean of the reference answers, before the scale", () => {
    expect(combine([], { zero: 5, scale: 10 })).toBe(-30);
  });

  it("takes λ times an ensemble's disagreement off, on the score's scale", () => {
    expect(combine([], { uncertaintyPenalty: 2 })).toBe(1.5);
    expect(combine(["polite=2"], { uncertaintyPenalty: 2, scale: 10 })).toBe(16);
  });

  it("refuses a weight for a score that did not come", () => {
    expect(() => combine(["helpful=1"])).toThrow(/scoreWeights names "helpful".*gold, polite/);
  });
});
