import { createRandom } from "@stagecraft/core";
import { createOptimizer, initEngine, tf, valueAndGrads } from "@stagecraft/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { maxDifference, randomIds, take, tinyConfig, tinyModel } from "../test/tiny.js";
import type { ModelConfig } from "./config.js";
import { createModel, type Model } from "./model.js";

beforeAll(() => initEngine({ engine: "auto" }));

const VARIANTS: [string, ModelConfig][] = [
  ["llama", tinyConfig("llama")],
  ["llama tied, biased", tinyConfig("llama", { tieEmbeddings: true, bias: true })],
  ["llama of wide heads", tinyConfig("llama", { headSize: 6 })],
  ["qwen2", tinyConfig("qwen2")],
  ["gpt2", tinyConfig("gpt2")],
  ["gpt2 untied, unbiased", tinyConfig("gpt2", { tieEmbeddings: false, bias: false })],
];

const logitsOf = (model: Model, ids: Int32Array, batchSize = 1) =>
  take(model.logits({ ids, batchSize, length: ids.length / batchSize }));

for (const [name, config] of VARIANTS) {
  const V = config.vocabSize;

  describe(`the ${name} forward pass`, () => {
    it("is causal: a token moves nothing before it and something after it", () => {
      const model = tinyModel(config);
      const ids = randomIds(V, 10);
      const before = logitsOf(model, ids);
      const changed = ids.slice();
      changed[6] = (changed[6]! + 1) % V;
      const after = logitsOf(model, changed);
      expect(after.subarray(0, 6 * V)).toEqual(before.subarray(0, 6 * V));
      expect(
        maxDifference(after.subarray(7 * V, 8 * V), before.subarray(7 * V, 8 * V)),
      ).toBeGreaterThan(1e-3);
    });

    it("does not depend on the other sequences of the batch", () => {
      const model = tinyModel(config);
      const ids = randomIds(V, 24);
      const batched = logitsOf(model, ids, 3);
      for (let b = 0; b < 3; b++) {
        const alone = logitsOf(model, ids.slice(b * 8, b * 8 + 8));
        expect(maxDifference(alone, batched.subarray(b * 8 * V, (b + 1) * 8 * V))).toBeLessThan(
          1e-5,
        );
      }
    });

    it("gives real tokens the same logits under left and right padding", () => {
      const model = tinyModel(config);
      const ids = randomIds(V, 6);
      const bare = logitsOf(model, ids);
      for (const [left, right] of [
        [0, 5],
        [3, 0],
        [4, 2],
      ] as const) {
        const length = left + 6 + right;
        const place = (values: ArrayLike<number>) => {
          const row = new Int32Array(length);
          row.set(values, left);
          return row;
        };
        const padded = take(
          model.logits({
            ids: place(ids),
            batchSize: 1,
            length,
            segments: place([1, 1, 1, 1, 1, 1]),
            positions: place([0, 1, 2, 3, 4, 5]),
          }),
        );
        const real = padded.subarray(left * V, (left + 6) * V);
        expect(maxDifference(real, bare)).toBeLessThan(1e-5);
      }
    });

    it("keeps packed documents apart", () => {
      const model = tinyModel(config);
      const [a, b] = [randomIds(V, 5, 1), randomIds(V, 4, 2)];
      const packed = take(
        model.logits({
          ids: Int32Array.of(...a, ...b),
          batchSize: 1,
          length: 9,
          segments: Int32Array.of(1, 1, 1, 1, 1, 2, 2, 2, 2),
          positions: Int32Array.of(0, 1, 2, 3, 4, 0, 1, 2, 3),
        }),
      );
      expect(maxDifference(packed.subarray(0, 5 * V), logitsOf(model, a))).toBeLessThan(1e-5);
      expect(maxDifference(packed.subarray(5 * V), logitsOf(model, b))).toBeLessThan(1e-5);
    });

    it("agrees with finite differences in every parameter", () => {
      const model = tinyModel(config, { heads: ["lm", "value", "score"] });
      const batch = { ids: randomIds(V, 12), batchSize: 2, length: 6 };
      const targets = randomIds(V, 12, 8);
      targets[3] = -1;
      const loss = () =>
        tf.tidy(() => {
          const values = model.values(batch);
          const scores = model.scores(batch, Int32Array.of(5, 11));
          const nll = tf.neg(tf.mean(model.logProbs({ ...batch, targets }).logProbs));
          return tf.addN([
            nll,
            tf.mean(tf.square(values)),
            tf.mean(tf.square(scores)),
          ]) as tf.Scalar;
        });
      const lossValue = () => take(loss())[0]!;
      const { value, grads } = valueAndGrads(model.params, loss);
      value.dispose();
      const random = createRandom(4);
      for (const [parameter, variable] of model.params) {
        const start = Float32Array.from(variable.dataSync());
        const direction = Float32Array.from(start, () => random.nextNormal());
        const gradient = take(grads.get(parameter)!);
        const analytic = gradient.reduce((sum, g, i) => sum + g * direction[i]!, 0);
        const at = (scale: number) => {
          const moved = tf.tensor(
            Float32Array.from(start, (x, i) => x + scale * direction[i]!),
            variable.shape,
          );
          variable.assign(moved);
          moved.dispose();
          return lossValue();
        };
        // Richardson: the truncation error is O(h⁴), rounding about 1e-7 / h.
        const h = 4e-3;
        const numeric = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
        at(0);
        expect(Math.abs(numeric - analytic), parameter).toBeLessThan(
          2e-3 + 0.01 * Math.abs(analytic),
        );
      }
      model.dispose();
    });

    it("learns one batch by heart without leaking tensors", () => {
      const model = createModel(config, { seed: 3 });
      const ids = randomIds(V, 16);
      const targets = randomIds(V, 16, 9);
      const optimizer = createOptimizer(model.params, {
        kind: "adamw",
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-8,
        weightDecay: 0,
      });
      const step = () => {
        const { value, grads } = valueAndGrads(
          model.params,
          () =>
            tf.neg(
              tf.mean(model.logProbs({ ids, targets, batchSize: 2, length: 8 }).logProbs),
            ) as tf.Scalar,
        );
        optimizer.step(grads, 0.01);
        tf.dispose([...grads.values()]);
        return take(value)[0]!;
      };
      const first = step();
      const { numTensors } = tf.memory();
      let last = first;
      for (let i = 0; i < 150; i++) last = step();
      expect(tf.memory().numTensors).toBe(numTensors);
      // Nearly uniform at first; a tied embedding leans towards repeating its input.
      expect(first).toBeGreaterThan(Math.log(V) - 0.05);
      expect(first).toBeLessThan(Math.log(V) + (config.tieEmbeddings ? 0.6 : 0.05));
      expect(last).toBeLessThan(0.05);
      optimizer.dispose();
      model.dispose();
    });
  });
}
