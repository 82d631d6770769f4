import { beforeAll, describe, expect, it } from "vitest";
import { createRandom } from "@stagecraft/core";
import { initEngine, tf } from "@stagecraft/tensor";
import { klEstimate } from "../math/kl.js";
import { policyLoss, valueLoss } from "../math/losses.js";
import { policyLossTensor, valueLossTensor, type PolicyLossOptions } from "./losses.js";

beforeAll(() => initEngine({ numThreads: 1 }));

const N = 24;
const random = createRandom("losses");
const normals = (scale: number, shift = 0) =>
  Float32Array.from({ length: N }, () => shift + scale * random.nextNormal());
const oldLogProbs = normals(0.5, -2);
const logProbs = oldLogProbs.map((value) => value + 0.3 * random.nextNormal());
const refLogProbs = oldLogProbs.map((value) => value + 0.3 * random.nextNormal());
const entropy = normals(0.2, 1);
const advantages = normals(1);
const importance = normals(0.2, 1);
const weights = Float32Array.from({ length: N }, (_, i) => (i % 5 === 0 ? 0 : 1 / 19));
const PLAIN: PolicyLossOptions = {
  clipLow: 0.2,
  clipHigh: 0.2,
  entropyCoef: 0,
  klLossCoef: 0,
  klEstimator: "k3",
};

/** The same sum from the pure functions. */
function expected(values: ArrayLike<number>, options: PolicyLossOptions, weighted: boolean) {
  const { loss } = policyLoss(
    { logProbs: values, oldLogProbs, advantages, weights, ...(weighted ? { importance } : {}) },
    options,
  );
  let extra = 0;
  for (let i = 0; i < N; i++) {
    const kl = klEstimate(options.klEstimator, values[i]! - refLogProbs[i]!);
    extra += weights[i]! * (options.klLossCoef * kl - options.entropyCoef * entropy[i]!);
  }
  return loss + extra;
}

const CASES: [string, Partial<PolicyLossOptions>, boolean][] = [
  ["plain", {}, false],
  ["asymmetric clip", { clipLow: 0.1, clipHigh: 0.4 }, false],
  ["dual clip", { dualClip: 1.1 }, false],
  ["decoupled", {}, true],
  ["entropy bonus", { entropyCoef: 0.01 }, false],
  ["KL k1 in the loss", { klLossCoef: 0.3, klEstimator: "k1" }, false],
  ["KL k2 in the loss", { klLossCoef: 0.3, klEstimator: "k2" }, false],
  ["KL k3 in the loss", { klLossCoef: 0.3, klEstimator: "k3" }, false],
];

describe("policyLossTensor()", () => {
  for (const [name, more, weighted] of CASES) {
    const options = { ...PLAIN, ...more };
    const f = (x: tf.Tensor) =>
      policyLossTensor(
        { logProbs: x as tf.Tensor1D, entropy: tf.tensor1d(entropy) },
        {
          oldLogProbs,
          advantages,
          weights,
          refLogProbs,
          ...(weighted ? { importance } : {}),
        },
        options,
      );
    it(`${name}: equals the pure loss, and its gradient the finite differences`, () => {
      const { value, grad } = tf.tidy(() => tf.valueAndGrad(f)(tf.tensor1d(logProbs)));
      expect(value.dataSync()[0]).toBeCloseTo(expected(logProbs, options, weighted), 6);
      const gradient = grad.dataSync();
      const at = (i: number, delta: number) =>
        expected(
          Array.from(logProbs, (value, j) => value + (j === i ? delta : 0)),
          options,
          weighted,
        );
      for (let i = 0; i < N; i++) {
        // Float64 central differences; the float32 gradient is good to about 1e-6.
        expect(gradient[i]).toBeCloseTo((at(i, 1e-6) - at(i, -1e-6)) / 2e-6, 5);
        if (weights[i] === 0) expect(gradient[i]! + 0).toBe(0);
      }
      tf.dispose([value, grad]);
    });
  }
});

describe("valueLossTensor()", () => {
  const returns = normals(1);
  const oldValues = normals(1);
  const values = oldValues.map((value) => value + 0.3 * random.nextNormal());
  for (const clipRange of [0, 0.2]) {
    it(`clip ${clipRange}: equals the pure loss, and its gradient the finite differences`, () => {
      const f = (x: tf.Tensor) =>
        valueLossTensor(x as tf.Tensor1D, { oldValues, returns, weights }, clipRange);
      const { value, grad } = tf.tidy(() => tf.valueAndGrad(f)(tf.tensor1d(values)));
      const pure = (v: ArrayLike<number>) =>
        valueLoss({ values: v, oldValues, returns, weights }, clipRange).loss;
      expect(value.dataSync()[0]).toBeCloseTo(pure(values), 6);
      const gradient = grad.dataSync();
      for (let i = 0; i < N; i++) {
        const at = (delta: number) => pure(Array.from(values, (v, j) => v + (j === i ? delta : 0)));
        expect(gradient[i]).toBeCloseTo((at(1e-6) - at(-1e-6)) / 2e-6, 5);
      }
      tf.dispose([value, grad]);
    });
  }
});
