import { describe, expect, it } from "vitest";
import { gae } from "./advantages.js";
import { createKlController } from "./kl-controller.js";
import { policyLoss, valueLoss } from "./losses.js";
import { meanWeights, whiten } from "./masked.js";
import { tokenRewards } from "./rewards.js";

/** The golden vectors of the algorithm document (float64; γ = 1, λ = .95, β = .1). */
const VALUES = [
  [0.1, 0.2, 0.3, 0.4, 0.5],
  [0.5, -0.25, 0, 0.75, -1],
];
const LOG_PROBS = [
  [-1, -0.5, -2, -0.1, -0.7],
  [-0.3, -1.2, -0.9, -0.4, -1.5],
];
const REF = [
  [-1.1, -0.7, -1.5, -0.3, -0.6],
  [-0.3, -1, -1.4, -0.4, -1.25],
];
const SCORES = [1, -0.5];
const REWARDS = [
  [-0.01, -0.02, 0.05, -0.02, 1.01],
  [0, 0.02, -0.05, 0, -0.475],
];
const ADVANTAGES = [
  [0.7853631875, 0.73196125, 0.686275, 0.5645, 0.51],
  [-0.9345404688, -0.194253125, -0.4886875, -1.25125, 0.525],
];
const WHITENED_ROW_0 = [0.9683061716, 0.8935736145, 0.829638663, 0.659222428, 0.5829532035];
const DELTA_LOG_PROBS = [0, 0.1, -0.3, 0.3, 0.05, 0.25, -0.25, 0, -0.1, 0.2];
const DELTA_VALUES = [0.1, -0.3, 0, 0.5, -0.1, 0.3, 0, -0.4, 0.2, 0.05];

function expectClose(actual: ArrayLike<number>, expected: readonly number[], tolerance = 1e-9) {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) =>
    expect(Math.abs(actual[i]! - value), `index ${i}: ${actual[i]}`).toBeLessThanOrEqual(tolerance),
  );
}

const rewards = SCORES.map((score, b) =>
  tokenRewards({ logProbs: LOG_PROBS[b]!, refLogProbs: REF[b]!, score, klCoef: 0.1 }),
);
const estimates = rewards.map((row, b) =>
  gae({ rewards: row, values: VALUES[b]!, gamma: 1, gaeLambda: 0.95 }),
);
const advantages = estimates.flatMap((row) => [...row.advantages]);
const returns = estimates.flatMap((row) => [...row.returns]);
const weights = meanWeights([5, 5], "token-mean");

describe("golden vectors", () => {
  it("token rewards", () => REWARDS.forEach((row, b) => expectClose(rewards[b]!, row)));

  it("advantages and returns", () => {
    // The document prints ten digits, so half a unit of the tenth (5e-11) is its rounding.
    ADVANTAGES.forEach((row, b) => expectClose(estimates[b]!.advantages, row));
    expectClose(
      returns,
      ADVANTAGES.flatMap((row, b) => row.map((value, t) => value + VALUES[b]![t]!)),
    );
  });

  it("whitened advantages", () => {
    expectClose(whiten(advantages).subarray(0, 5), WHITENED_ROW_0);
  });

  it("whitening without shift, biased variance", () => {
    const rows = [1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0];
    const expected = [0.0508, 0.4381, 0.8254, 1.2127, 1.6, 1.9873, 2.3746, 2.7619, 3.1492];
    expectClose(whiten(rows, { shiftMean: false }), expected, 5e-5);
  });

  it("policy loss and clip fraction", () => {
    const old = LOG_PROBS.flat();
    const result = policyLoss(
      {
        logProbs: old.map((value, i) => value + DELTA_LOG_PROBS[i]!),
        oldLogProbs: old,
        advantages: whiten(advantages),
        weights,
      },
      { clipLow: 0.2, clipHigh: 0.2 },
    );
    expectClose([result.loss, result.clipFraction], [-0.001247519, 0.3]);
  });

  it("value loss and clip fraction", () => {
    const old = VALUES.flat();
    const values = old.map((value, i) => value + DELTA_VALUES[i]!);
    const result = valueLoss({ values, oldValues: old, returns, weights }, 0.2);
    expectClose([result.loss, result.clipFraction], [0.3243758413, 0.2]);
  });

  it("row 0 with its EOS at index 2", () => {
    const cut = (row: readonly number[]) => row.slice(0, 3);
    const row = tokenRewards({
      logProbs: cut(LOG_PROBS[0]!),
      refLogProbs: cut(REF[0]!),
      score: 1,
      klCoef: 0.1,
    });
    const result = gae({ rewards: row, values: cut(VALUES[0]!), gamma: 1, gaeLambda: 0.95 });
    expectClose(result.advantages, [0.842875, 0.7925, 0.75]);
  });

  it("adaptive β", () => {
    const config = { kind: "adaptive", klCoef: 0.15, targetKl: 6, horizon: 10_000 } as const;
    for (const [kl, factor] of [
      [7.2, 1.01024],
      [50, 1.01024],
      [6, 1],
      [4.8, 0.98976],
      [-3, 0.98976],
    ] as const) {
      const controller = createKlController(config);
      controller.update(kl, 512);
      expectClose([controller.coef()], [0.15 * factor]);
    }
  });
});
