import { initEngine, tf, valueAndGrads } from "@stagecraft/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { maxDifference, randomIds, take, tinyConfig, tinyModel } from "../test/tiny.js";
import { addLora, type LoraModel, type LoraOptions } from "./lora.js";
import { modelFromTensors } from "./model.js";

beforeAll(() => initEngine({ numThreads: 1 }));

const OPTIONS: LoraOptions = { rank: 2, alpha: 4, targets: ["q", "v", "down"], seed: 3 };

/** Moves every adapter away from its start. */
function perturb(model: LoraModel): void {
  for (const [name, variable] of model.params) {
    tf.tidy(() => variable.assign(tf.randomNormal(variable.shape, 0, 0.2, "float32", name.length)));
  }
}

for (const architecture of ["llama", "gpt2"] as const) {
  describe(`addLora() on ${architecture}`, () => {
    const config = tinyConfig(architecture);
    const ids = randomIds(config.vocabSize, 8);
    const batch = { ids, targets: ids, batchSize: 2, length: 4 };

    it("starts as the base, and its adapters alone are parameters", () => {
      const base = tinyModel(config);
      const before = take(base.logits(batch));
      const model = addLora(base, OPTIONS);
      expect([...take(model.logits(batch))]).toEqual([...before]);
      expect(model.params.size).toBe(2 * 2 * OPTIONS.targets.length); // A and B, two layers
      expect([...model.params.keys()].every((name) => name.includes(".lora_"))).toBe(true);
      model.dispose();
    });

    it("merges to a plain model that computes the same", () => {
      const model = addLora(tinyModel(config), OPTIONS);
      perturb(model);
      const merged = modelFromTensors(config, model.tensors(), { seed: 0 });
      const [ours, plain] = [take(model.logits(batch)), take(merged.logits(batch))];
      expect(maxDifference(ours, plain)).toBe(0);
      expect(maxDifference(ours, take(model.base.logits(batch)))).toBeGreaterThan(0.01);
      merged.dispose();
      model.dispose();
    });

    it("has the gradient of the factors: dA = s·Bᵀ·dW, dB = s·dW·Aᵀ", () => {
      const model = addLora(tinyModel(config), OPTIONS);
      perturb(model);
      const merged = modelFromTensors(config, model.tensors(), { seed: 0 });
      const loss = (of: typeof merged) => () => tf.mean<tf.Scalar>(of.logProbs(batch).logProbs);
      const ours = valueAndGrads(model.params, loss(model)).grads;
      const plain = valueAndGrads(merged.params, loss(merged)).grads;
      expect(ours.size).toBe(model.params.size);
      for (const [name, dW] of plain) {
        const path = name.slice(0, -".weight".length);
        const [a, b] = ["A", "B"].map((half) => model.params.get(`${path}.lora_${half}.weight`));
        if (!a || !b) continue;
        const dA = tf.mul(tf.matMul(b, dW, true, false), 2);
        const dB = tf.mul(tf.matMul(dW, a, false, true), 2);
        expect(maxDifference(take(ours.get(`${path}.lora_A.weight`)!), take(dA))).toBeLessThan(
          1e-6,
        );
        expect(maxDifference(take(ours.get(`${path}.lora_B.weight`)!), take(dB))).toBeLessThan(
          1e-6,
        );
      }
      merged.dispose();
      model.dispose();
    });
  });
}

describe("LoraModel", () => {
  const config = tinyConfig("llama");
  const batch = { ids: randomIds(config.vocabSize, 8), batchSize: 2, length: 4 };

  it("trains a value head whole", () => {
    const model = addLora(tinyModel(config, { heads: ["value"] }), OPTIONS);
    expect(model.params.has("value_head.weight")).toBe(true);
    expect(take(model.values(batch))).toHaveLength(8);
    model.dispose();
  });

  it("takes merged weights as its new base", () => {
    const model = addLora(tinyModel(config), OPTIONS);
    perturb(model);
    const [tensors, before] = [model.tensors(), take(model.logits(batch))];
    perturb(model);
    model.load(tensors);
    expect(maxDifference(take(model.logits(batch)), before)).toBe(0);
    expect(maxDifference(take(model.base.logits(batch)), before)).toBe(0);
    model.dispose();
  });

  it("has no gradients of the base, whose kernels leave them out; who asks for one is refused", () => {
    const model = addLora(tinyModel(config), OPTIONS);
    const { params } = model.base;
    expect([...params.values()].every(({ trainable }) => !trainable)).toBe(true);
    const loss = () =>
      tf.mean<tf.Scalar>(model.logProbs({ ...batch, targets: batch.ids }).logProbs);
    for (const name of ["lm_head.weight", "model.embed_tokens.weight"]) {
      const asked = new Map([[name, params.get(name)!]]);
      expect(() => valueAndGrads(asked, loss), name).toThrow();
    }
    model.dispose();
  });

  it("leaks no tensor and refuses what cannot work", () => {
    const before = tf.memory().numTensors;
    const model = addLora(tinyModel(config), OPTIONS);
    tf.dispose(model.logits(batch));
    model.tensors();
    expect(() => model.weights).toThrow("merges the adapters");
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
    const base = tinyModel(config);
    expect(() => addLora(base, { ...OPTIONS, rank: 0 })).toThrow("[invalid_argument]");
    expect(() => addLora(base, { ...OPTIONS, targets: [] })).toThrow("targets none");
    base.dispose();
  });
});
