import { createRandom } from "@stagecraft/core";
import { f32 } from "@stagecraft/checkpoint";
import { createOptimizer, initEngine, tf, valueAndGrads } from "@stagecraft/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { maxDifference, randomIds, tinyConfig, tinyModel } from "../test/tiny.js";
import type { ModelConfig } from "./config.js";
import { createModel, modelFromTensors, type Model } from "./model.js";

beforeAll(() => initEngine({ engine: "auto" }));

const VARIANTS: [string, ModelConfig][] = [
  ["llama", tinyConfig("llama")],
  ["llama tied, biased", tinyConfig("llama", { tieEmbeddings: true, bias: true })],
  ["gpt2", tinyConfig("gpt2")],
  ["gpt2 untied, unbiased", tinyConfig("gpt2", { tieEmbeddings: false, bias: false })],
];

const take = (tensor: tf.Tensor) => {
  const values = Float32Array.from(tensor.dataSync());
  tensor.dispose();
  return values;
};

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
      expect(first).toBeCloseTo(Math.log(V), 1);
      expect(last).toBeLessThan(0.05);
      optimizer.dispose();
      model.dispose();
    });
  });
}

describe("heads", () => {
  const config = tinyConfig("llama");

  it("give the value of the state before token t", () => {
    const model = tinyModel(config, { heads: ["value"] });
    const ids = randomIds(config.vocabSize, 8);
    const valuesOf = (at: Int32Array) => take(model.values({ ids: at, batchSize: 1, length: 8 }));
    const values = valuesOf(ids);
    const changed = ids.slice();
    changed[5] = (ids[5]! + 1) % config.vocabSize;
    const after = valuesOf(changed);
    // V of token t is row t − 1: it must not see token t, and must see token t − 1.
    expect(after[4]).toBe(values[4]);
    expect(Math.abs(after[5]! - values[5]!)).toBeGreaterThan(1e-4);
  });

  it("start with values of zero and small scores", () => {
    const model = createModel(config, { seed: 1, heads: ["value", "score"] });
    const batch = { ids: randomIds(config.vocabSize, 8), batchSize: 2, length: 4 };
    expect([...take(model.values(batch))]).toEqual(new Array(8).fill(0));
    const scores = take(model.scores(batch, Int32Array.of(3, 7)));
    expect(Math.max(...scores.map(Math.abs))).toBeLessThan(4);
    expect(scores[0]).not.toBe(scores[1]);
  });

  it("score the row that is asked for", () => {
    const model = tinyModel(config, { heads: ["score"] });
    const ids = randomIds(config.vocabSize, 12);
    const padded = take(model.scores({ ids, batchSize: 2, length: 6 }, Int32Array.of(3, 11)));
    const alone = take(
      model.scores({ ids: ids.slice(0, 4), batchSize: 1, length: 4 }, Int32Array.of(3)),
    );
    expect(padded[0]).toBeCloseTo(alone[0]!, 5);
    expect(() => model.scores({ ids, batchSize: 2, length: 6 }, Int32Array.of(12))).toThrow(
      "lastIndex[0] is 12",
    );
  });

  it("are needed for what they do", () => {
    const model = createModel(config, { seed: 1, heads: ["score"] });
    expect(() => model.logits({ ids: Int32Array.of(1), batchSize: 1, length: 1 })).toThrow(
      "[failed_precondition] the model has no lm head, only score",
    );
  });

  it("ties the output to the embedding and adds up both gradients", () => {
    const tied = tinyModel(tinyConfig("llama", { tieEmbeddings: true }));
    const table = tied.tensors().get("model.embed_tokens.weight")!;
    const untied = modelFromTensors(
      tinyConfig("llama"),
      new Map(tied.tensors()).set("lm_head.weight", table),
      { seed: 0 },
    );
    const ids = randomIds(config.vocabSize, 8);
    const gradients = (model: Model) =>
      valueAndGrads(model.params, () =>
        tf.mean(model.logProbs({ ids, targets: ids, batchSize: 1, length: 8 }).logProbs),
      ).grads;
    const [ours, apart] = [gradients(tied), gradients(untied)];
    const sum = tf.add(apart.get("model.embed_tokens.weight")!, apart.get("lm_head.weight")!);
    expect(maxDifference(take(ours.get("model.embed_tokens.weight")!), take(sum))).toBeLessThan(
      1e-6,
    );
    expect(tied.params.has("lm_head.weight")).toBe(false);
  });
});

describe("createModel() and load()", () => {
  const config = tinyConfig("gpt2");

  it("repeats its weights for a seed, whatever the heads", () => {
    const a = createModel(config, { seed: 7 });
    const b = createModel(config, { seed: 7, heads: ["value"] });
    const c = createModel(config, { seed: 8 });
    const name = "transformer.h.1.mlp.c_fc.weight";
    expect(a.tensors().get(name)).toEqual(b.tensors().get(name));
    expect(a.tensors().get(name)).not.toEqual(c.tensors().get(name));
  });

  it("follows GPT-2's scales", () => {
    const model = createModel(
      tinyConfig("gpt2", { hiddenSize: 128, intermediateSize: 512, numLayers: 8 }),
      { seed: 1 },
    );
    const deviation = (name: string) => {
      const data = model.tensors().get(name)!.data as Float32Array;
      return Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length);
    };
    expect(deviation("transformer.h.0.attn.q_proj.weight")).toBeCloseTo(0.02, 3);
    expect(deviation("transformer.h.0.attn.c_proj.weight")).toBeCloseTo(0.02 / 4, 3);
    expect(deviation("transformer.h.0.mlp.c_proj.weight")).toBeCloseTo(0.02 / 4, 3);
    expect(deviation("transformer.h.0.ln_1.weight")).toBe(1);
  });

  it("copies: the tensors and the model do not share memory", () => {
    const model = createModel(config, { seed: 1 });
    const copy = model.tensors();
    const twin = modelFromTensors(config, copy, { seed: 0 });
    const entry = copy.get("transformer.wte.weight")!;
    const before = (entry.data as Float32Array)[0]!;
    (entry.data as Float32Array)[0] = 99;
    for (const each of [model, twin]) {
      expect((each.tensors().get("transformer.wte.weight")!.data as Float32Array)[0]).toBe(before);
    }
  });

  it("reports every misfit at once and changes nothing", () => {
    const model = createModel(config, { seed: 1 });
    const before = model.tensors();
    const broken = new Map(before);
    broken.delete("transformer.ln_f.bias");
    broken.set("extra", f32([1], new Float32Array(1)));
    broken.set("transformer.wte.weight", f32([30, 16], new Float32Array(480)));
    expect(() => model.load(broken)).toThrow(
      /failed_precondition.*1 missing: transformer\.ln_f\.bias; 1 unexpected: extra; transformer\.wte\.weight is \[30, 16\], the model needs \[23, 16\].*vocabulary of 30 tokens/,
    );
    expect(model.tensors()).toEqual(before);
  });

  it("recognises a checkpoint of another architecture", () => {
    const llama = createModel(tinyConfig("llama"), { seed: 1 });
    expect(() => createModel(config, { seed: 1 }).load(llama.tensors())).toThrow(
      /another architecture/,
    );
  });

  it("refuses batches that do not fit", () => {
    const model = createModel(config, { seed: 1 });
    const one = { batchSize: 1, length: 1 };
    expect(() => model.hidden({ ids: Int32Array.of(23), ...one })).toThrow(/token id 23 at row 0/);
    expect(() => model.hidden({ ids: Int32Array.of(-1), ...one })).toThrow(/token id -1/);
    expect(() => model.hidden({ ids: Int32Array.of(1, 2), ...one })).toThrow(/ids has 2 values/);
    expect(() => model.hidden({ ids: new Int32Array(33), batchSize: 1, length: 33 })).toThrow(
      /33 tokens are longer than the model's 32 positions/,
    );
    expect(() =>
      model.hidden({ ids: Int32Array.of(1), positions: Int32Array.of(32), ...one }),
    ).toThrow(/position 32/);
  });

  it("lists every problem of a config", () => {
    expect(() =>
      tinyConfig("gpt2", { vocabSize: 0, hiddenSize: 18, numKvHeads: 2, normEps: -1 }),
    ).toThrow(/vocabSize.*hiddenSize 18.*grouped queries.*normEps/);
  });
});
