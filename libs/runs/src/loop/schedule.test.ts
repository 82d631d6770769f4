import { describe, expect, it } from "vitest";
import { learningRateAt, type ScheduleConfig } from "./schedule.js";

const base: ScheduleConfig = {
  kind: "cosine",
  learningRate: 1,
  warmupSteps: 9,
  totalSteps: 109,
  minRatio: 0.1,
};

describe("learningRateAt()", () => {
  it("warms up linearly and never starts at 0", () => {
    expect(learningRateAt(0, base)).toBeCloseTo(0.1, 12);
    expect(learningRateAt(8, base)).toBeCloseTo(0.9, 12);
    expect(learningRateAt(9, base)).toBe(1);
  });
  it("follows the cosine to the minimum and stays there", () => {
    expect(learningRateAt(59, base)).toBeCloseTo(0.55, 12);
    expect(learningRateAt(109, base)).toBeCloseTo(0.1, 12);
    expect(learningRateAt(500, base)).toBeCloseTo(0.1, 12);
  });
  it("falls linearly or not at all", () => {
    expect(learningRateAt(34, { ...base, kind: "linear" })).toBeCloseTo(0.775, 12);
    expect(learningRateAt(90, { ...base, kind: "constant" })).toBe(1);
  });
});
