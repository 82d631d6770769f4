import { describe, expect, it } from "vitest";
import { createRandom } from "@stagecraft/core";
import { gae, grpoAdvantages, rlooAdvantages } from "./advantages.js";
import { klEstimate, sequenceKl } from "./kl.js";
import { createKlController } from "./kl-controller.js";
import { behaviourWeights, explainedVariance, policyLoss } from "./losses.js";
import { maskedMean, maskedVariance, meanWeights, whiten } from "./masked.js";
import { cutAfterEos, scoreWithEosRule, tokenRewards } from "./rewards.js";

const CLIP = { clipLow: 0.2, clipHigh: 0.2 };
const one = (logRatio: number, advantage: number, options = {}, importance?: number) =>
  policyLoss(
    {
      logProbs: [logRatio],
      oldLogProbs: [0],
      advantages: [advantage],
      weights: [1],
      ...(importance === undefined ? {} : { importance: [importance] }),
    },
    { ...CLIP, ...options },
  ).loss;

describe("masked statistics", () => {
  it("ignores what the mask hides, even NaN", () => {
    expect(maskedMean([1, NaN, 3], [1, 0, 1])).toBe(2);
    expect(maskedVariance([1, NaN, 3], [1, 0, 1])).toBe(1);
    expect([...whiten([1, NaN, 3], { mask: [1, 0, 1] })].map((x) => Math.round(x))).toEqual([
      -1, 0, 1,
    ]);
  });
  it("has no mean over nothing, and no 0 that would pass for one", () => {
    expect(maskedMean([5], [0])).toBeNaN();
    expect(maskedVariance([])).toBeNaN();
    expect([...whiten([5, 6], { mask: [0, 0] })]).toEqual([0, 0]);
  });
});

describe("meanWeights()", () => {
  it("counts tokens or sequences", () => {
    expect([...meanWeights([1, 3], "token-mean")]).toEqual([0.25, 0.25, 0.25, 0.25]);
    expect([...meanWeights([1, 2], "sequence-mean")]).toEqual([0.5, 0.25, 0.25]);
  });
  it("gives an empty sequence no share", () => {
    expect([...meanWeights([0, 2], "sequence-mean")]).toEqual([0.5, 0.5]);
  });
});

describe("tokenRewards()", () => {
  it("sums to score − β·KL wherever the score lands", () => {
    const random = createRandom(1);
    const draw = () => Array.from({ length: 6 }, () => random.nextNormal());
    const [logProbs, refLogProbs] = [draw(), draw()];
    for (let scoreIndex = 0; scoreIndex < 6; scoreIndex++) {
      const rewards = tokenRewards({ logProbs, refLogProbs, score: 2, klCoef: 0.3, scoreIndex });
      const sum = rewards.reduce((total, value) => total + value, 0);
      expect(sum).toBeCloseTo(2 - 0.3 * sequenceKl(logProbs, refLogProbs), 12);
    }
  });
  for (const [name, input] of [
    ["an empty answer", { logProbs: [], refLogProbs: [], score: 0, klCoef: 0 }],
    ["unequal lengths", { logProbs: [1, 2], refLogProbs: [1], score: 0, klCoef: 0 }],
    ["a score outside", { logProbs: [1], refLogProbs: [1], score: 0, klCoef: 0, scoreIndex: 1 }],
  ] as const) {
    it(`refuses ${name}`, () => expect(() => tokenRewards(input)).toThrow("[invalid_argument]"));
  }
});

describe("EOS rules", () => {
  it("cuts after the first EOS, at every position", () => {
    for (let end = 0; end < 4; end++) {
      const ids = Int32Array.of(5, 6, 7, 8);
      ids[end] = 2;
      expect(cutAfterEos(ids, [2])).toEqual({ ids: ids.slice(0, end + 1), hasEos: true });
    }
    expect(cutAfterEos(Int32Array.of(5, 6), [2]).hasEos).toBe(false);
  });
  it("replaces, penalises or keeps the score of an unfinished answer", () => {
    expect(scoreWithEosRule(3, true, { kind: "score", value: -1 })).toBe(3);
    expect(scoreWithEosRule(3, false, { kind: "score", value: -1 })).toBe(-1);
    expect(scoreWithEosRule(3, false, { kind: "penalty", value: 1 })).toBe(2);
    expect(scoreWithEosRule(3, false, { kind: "keep", value: 1 })).toBe(3);
  });
});

describe("gae()", () => {
  it("is the Monte Carlo return minus V at λ = 1 and the TD error at λ = 0", () => {
    const input = { rewards: [1, 2, 3], values: [0.5, 0.25, 1], gamma: 1 };
    expect([...gae({ ...input, gaeLambda: 1 }).advantages]).toEqual([5.5, 4.75, 2]);
    expect([...gae({ ...input, gaeLambda: 0 }).advantages]).toEqual([0.75, 2.75, 2]);
  });
});

describe("group advantages", () => {
  const returns = [1, 2, 6, 4, 4];
  const groups = [7, 7, 7, 9, 9];
  it("RLOO subtracts the mean of the others", () => {
    expect([...rlooAdvantages(returns, groups)]).toEqual([-3, -1.5, 4.5, 0, 0]);
  });
  it("GRPO has mean 0 and, scaled, unit variance in each group", () => {
    const scaled = grpoAdvantages(returns, groups, { eps: 0 }).subarray(0, 3);
    expect(maskedMean(scaled)).toBeCloseTo(0, 12);
    expect(maskedVariance(scaled)).toBeCloseTo(1, 12);
    expect([...grpoAdvantages(returns, groups, { scaleByStd: false })]).toEqual([-2, -1, 3, 0, 0]);
  });
  it("gives 0 to answers that score the same", () => {
    expect([...grpoAdvantages([4, 4], [1, 1])]).toEqual([0, 0]);
  });
  it("refuses a prompt with one answer", () => {
    expect(() => rlooAdvantages([1], [0])).toThrow("samplesPerPrompt");
  });
});

describe("policyLoss()", () => {
  it("clips asymmetrically", () => {
    expect(one(Math.log(1.5), 1, { clipHigh: 0.3 })).toBeCloseTo(-1.3, 12);
    expect(one(Math.log(0.5), -1, { clipLow: 0.1 })).toBeCloseTo(0.9, 12);
    expect(one(Math.log(0.5), 1)).toBeCloseTo(-0.5, 12);
  });
  it("bounds the loss of a bad action by the dual clip", () => {
    expect(one(Math.log(10), -1)).toBeCloseTo(10, 12);
    expect(one(Math.log(10), -1, { dualClip: 3 })).toBeCloseTo(3, 12);
    expect(one(Math.log(10), 1, { dualClip: 3 })).toBeCloseTo(-1.2, 12);
  });
  it("is plain PPO when prox equals behaviour, and weights outside the minimum otherwise", () => {
    expect([...behaviourWeights([-1, -2], [-1, -2])]).toEqual([1, 1]);
    const weight = behaviourWeights([-1], [-2])[0]!;
    expect(weight).toBeCloseTo(Math.E, 12);
    expect(behaviourWeights([-1], [-2], 2)[0]).toBe(2);
    expect(one(Math.log(1.5), 1, {}, weight)).toBeCloseTo(-1.2 * Math.E, 12);
  });
  it("does not read masked tokens", () => {
    const masked = policyLoss(
      { logProbs: [0, NaN], oldLogProbs: [0, 0], advantages: [2, NaN], weights: [1, 0] },
      CLIP,
    );
    expect(masked).toEqual({ loss: -2, clipFraction: 0, approxKl: 0, maxRatioError: 0 });
  });
});

describe("KL estimators", () => {
  it("k1 and k3 agree with the exact KL in expectation, k2 for small steps", () => {
    const policy = [0.5, 0.3, 0.2];
    const ref = [0.45, 0.33, 0.22];
    const expectation = (kind: "k1" | "k2" | "k3") =>
      policy.reduce((sum, p, i) => sum + p * klEstimate(kind, Math.log(p / ref[i]!)), 0);
    const exact = policy.reduce((sum, p, i) => sum + p * Math.log(p / ref[i]!), 0);
    expect(expectation("k1")).toBeCloseTo(exact, 14);
    expect(expectation("k3")).toBeCloseTo(exact, 14);
    expect(expectation("k2")).toBeCloseTo(exact, 3);
    for (const l of [-2, -0.1, 0.1, 2]) {
      expect(klEstimate("k2", l)).toBeGreaterThan(0);
      expect(klEstimate("k3", l)).toBeGreaterThan(0);
    }
  });
});

describe("createKlController()", () => {
  it("continues from its state and never moves when fixed", () => {
    const config = { kind: "adaptive", klCoef: 0.1, targetKl: 6, horizon: 1000 } as const;
    const first = createKlController(config);
    first.update(9, 100);
    const restored = createKlController(config, first.state());
    expect(restored.coef()).toBe(first.coef());
    const fixed = createKlController({ kind: "fixed", klCoef: 0.1 });
    fixed.update(9, 100);
    expect(fixed.coef()).toBe(0.1);
  });
});

describe("diagnostics", () => {
  it("explained variance is 1 for a perfect critic, 0 for a constant, negative for a wrong one", () => {
    expect(explainedVariance([1, 2, 3], [1, 2, 3])).toBe(1);
    expect(explainedVariance([2, 2, 2], [1, 2, 3])).toBe(0);
    expect(explainedVariance([3, 2, 1], [1, 2, 3])).toBe(-3);
  });
});
