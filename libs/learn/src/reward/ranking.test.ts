import { describe, expect, it } from "vitest";
import { createRandom } from "@stagecraft/core";
import { logSigmoid, rankingLoss } from "./ranking-loss.js";
import { rankingReport, type ScoredRanking } from "./ranking-metrics.js";

describe("rankingLoss()", () => {
  it("meets the golden vector: K = 4, rewards 2, 1, .5, −1", () => {
    const { loss, gradient } = rankingLoss([2, 1, 0.5, -1], [1, 2, 3, 4]);
    expect(Math.abs(loss - 0.2276134317)).toBeLessThan(1e-9);
    const expected = [-0.0831321, -0.037967, 0.0629234, 0.0581757];
    expected.forEach((value, i) => expect(Math.abs(gradient[i]! - value)).toBeLessThan(5e-8));
  });

  it("agrees with finite differences, ties included", () => {
    const rewards = [0.3, -1.2, 0.8, 0.1, 2];
    const ranks = [2, 1, 2, 4, 3];
    const { gradient, numPairs } = rankingLoss(rewards, ranks);
    expect(numPairs).toBe(9); // ten pairs, one tie
    rewards.forEach((_, i) => {
      const at = (delta: number) =>
        rankingLoss(
          rewards.map((r, j) => r + (j === i ? delta : 0)),
          ranks,
        ).loss;
      expect(gradient[i]).toBeCloseTo((at(1e-5) - at(-1e-5)) / 2e-5, 8);
    });
  });

  it("is the pairwise loss for K = 2 and 0 when all are tied", () => {
    expect(rankingLoss([1, 3], [2, 1]).loss).toBe(-logSigmoid(2));
    expect(rankingLoss([1, 3], [1, 1]).loss).toBe(0);
  });

  it("stays finite where log(σ + ε) would not be right", () => {
    expect(logSigmoid(-800)).toBe(-800);
    expect(rankingLoss([-800, 0], [1, 2]).loss).toBe(800);
  });
});

/** Rankings drawn from Plackett–Luce on the scores, by Gumbel noise. */
function sampled(numPrompts: number, scale: number): ScoredRanking[] {
  const random = createRandom(11);
  return Array.from({ length: numPrompts }, () => {
    const scores = Array.from({ length: 4 }, () => random.nextNormal());
    const noisy = scores.map((score) => score - Math.log(-Math.log(1 - random.nextFloat())));
    const order = [...noisy].sort((a, b) => b - a);
    return {
      scores: scores.map((score) => score * scale),
      ranks: noisy.map((value) => order.indexOf(value) + 1),
      lengths: scores.map(() => 5 + random.nextInt(20)),
    };
  });
}

describe("rankingReport()", () => {
  it("finds the true scores calibrated and at the Bayes accuracy", () => {
    const report = rankingReport(sampled(4000, 1));
    // Gaps are N(0, √2): between the document's .675 (s = 1) and .734 (s = 1.5).
    expect(report.accuracy).toBeGreaterThan(0.71);
    expect(report.accuracy).toBeLessThan(0.75);
    expect(report.calibrationError).toBeLessThan(0.015);
    expect(Math.abs(report.lengthCorrelation!)).toBeLessThan(0.05);
    expect(report.byMargin[4]!.accuracy).toBeGreaterThan(report.byMargin[0]!.accuracy + 0.2);
  });

  it("finds an overconfident model miscalibrated though as accurate", () => {
    const [sharp, honest] = [rankingReport(sampled(2000, 5)), rankingReport(sampled(2000, 1))];
    expect(sharp.accuracy).toBe(honest.accuracy);
    expect(sharp.calibrationError).toBeGreaterThan(0.1);
    expect(sharp.crossEntropy).toBeGreaterThan(honest.crossEntropy!);
  });

  it("shows a model that measures length", () => {
    const rankings = sampled(500, 1).map((ranking) => ({ ...ranking, scores: ranking.lengths }));
    const report = rankingReport(rankings);
    expect(report.lengthCorrelation).toBeCloseTo(1, 9);
    expect(report.byLength.longerWins).toBe(1);
    expect(report.byLength.shorterWins).toBe(0);
  });

  it("says nothing about nothing: no figure over no pair", () => {
    const tied = { scores: [1, 1], ranks: [1, 1], lengths: [3, 3] };
    for (const rankings of [[], [tied]]) {
      expect(rankingReport(rankings)).toEqual({
        ...{ calibration: [], byMargin: [], byLength: {}, numPairs: 0 },
      });
    }
  });

  it("falls to zero accuracy when the ranking's sign is flipped", () => {
    const flipped = { scores: [1, 2, 3], ranks: [1, 2, 3], lengths: [1, 1, 1] };
    expect(rankingReport([flipped]).accuracy).toBe(0);
  });
});
