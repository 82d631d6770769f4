import { describe, expect, it } from "vitest";
import { whiten } from "../math/masked.js";
import { concat, estimateAdvantages, type Experience } from "./experience.js";
import { answerTokens } from "./layout.js";

/** The two golden rows as experience; Float32 log-probs and values, so tolerances are float32's. */
const BATCH: Experience[] = [
  [[0.1, 0.2, 0.3, 0.4, 0.5], [-1, -0.5, -2, -0.1, -0.7], [-1.1, -0.7, -1.5, -0.3, -0.6], [1]],
  [
    [0.5, -0.25, 0, 0.75, -1],
    [-0.3, -1.2, -0.9, -0.4, -1.5],
    [-0.3, -1, -1.4, -0.4, -1.25],
    [-0.5],
  ],
].map(([values, logProbs, ref, score], i) => ({
  rolloutId: `r${i}`,
  group: 0,
  ...answerTokens(Int32Array.of(1), Int32Array.of(2, 3, 4, 5, 6)),
  score: score![0]!,
  hasEos: true,
  behaviourLogProbs: Float32Array.from(logProbs!),
  staleness: new Int32Array(5),
  oldLogProbs: Float32Array.from(logProbs!),
  refLogProbs: Float32Array.from(ref!),
  values: Float32Array.from(values!),
}));
const OPTIONS = {
  estimator: "gae",
  gamma: 1,
  gaeLambda: 0.95,
  whitenAdvantages: false,
  whitenRewards: false,
  klCoef: 0.1,
} as const;
const ADVANTAGES = [
  0.7853631875, 0.73196125, 0.686275, 0.5645, 0.51, -0.9345404688, -0.194253125, -0.4886875,
  -1.25125, 0.525,
];

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-6) {
  expect(actual.length).toBe(expected.length);
  Array.from(expected).forEach((value, i) =>
    expect(Math.abs(actual[i]! - value)).toBeLessThan(tolerance),
  );
}

describe("estimateAdvantages()", () => {
  it("gives the golden advantages of a batch", () => {
    expectClose(concat(estimateAdvantages(BATCH, OPTIONS).advantages), ADVANTAGES);
  });

  it("charges the KL of the policy that learns, not that of older weights", () => {
    const stale = BATCH.map((item) => ({
      ...item,
      behaviourLogProbs: item.behaviourLogProbs.map((value) => value - 1),
    }));
    for (const estimator of ["gae", "rloo"] as const) {
      const of = (batch: Experience[]) => estimateAdvantages(batch, { ...OPTIONS, estimator });
      expect(of(stale)).toEqual(of(BATCH));
    }
  });

  it("whitens once, over the whole batch, and takes returns from the unwhitened", () => {
    const { advantages, returns } = estimateAdvantages(BATCH, {
      ...OPTIONS,
      whitenAdvantages: true,
    });
    expectClose(concat(advantages), whiten(ADVANTAGES));
    const values = concat(BATCH.map((item) => item.values));
    expectClose(
      concat(returns),
      ADVANTAGES.map((advantage, i) => advantage + values[i]!),
    );
  });

  it("whitens rewards without moving their mean", () => {
    const { returns } = estimateAdvantages(BATCH, {
      ...OPTIONS,
      whitenRewards: true,
      gaeLambda: 1,
      klCoef: 0,
    });
    // At λ = 1 the first return is the sum of the rewards; scores 1 and −.5 sum to .5 over ten tokens.
    const sum = returns[0]![0]! + returns[1]![0]!;
    expect(sum).toBeCloseTo(0.5, 6);
    expect(returns[0]![0]).not.toBeCloseTo(1, 2);
  });

  for (const [estimator, first] of [
    ["rloo", 1.515],
    ["grpo", 1],
  ] as const) {
    it(`${estimator}: one advantage for all tokens of an answer`, () => {
      const { advantages } = estimateAdvantages(BATCH, { ...OPTIONS, estimator });
      // Totals are 1 − .1·(−.1) = 1.01 and −.5 − .1·.05 = −.505; their gap is 1.515.

      expect(new Set(advantages[0]).size).toBe(1);
      expect(advantages[0]![0]).toBeCloseTo(first, 3);
      expect(advantages[1]![4]).toBeCloseTo(-first, 3);
    });
  }
});
