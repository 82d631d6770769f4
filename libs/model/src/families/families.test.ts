import { createDecoder } from "../generation/decoder.js";
import { initEngine } from "@stagecraft/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { slowLogits } from "../../test/slow-forward.js";
import { maxDifference, randomIds, take, tinyConfig, tinyModel } from "../../test/tiny.js";
import { fromHfConfig, toHfConfig } from "../hf-config.js";
import { createModel } from "../model.js";

beforeAll(() => initEngine({ engine: "auto" }));

/** fp32 sums in another order, on logits of size 1 … 30. */
const ROUNDING = 1e-4;

describe("families of Llama's make", () => {
  for (const [what, config] of [
    ["llama", tinyConfig("llama")],
    ["llama with all biases", tinyConfig("llama", { bias: true })],
    ["llama with heads wider than its share", tinyConfig("llama", { headSize: 6 })],
    ["qwen2", tinyConfig("qwen2")],
    [
      "qwen2 tied, all heads of their own",
      tinyConfig("qwen2", { tieEmbeddings: true, numKvHeads: 4 }),
    ],
  ] as const) {
    it(`give the logits of the slow definition, trained and decoded: ${what}`, async () => {
      const model = tinyModel(config);
      const ids = randomIds(config.vocabSize, 9);
      const expected = slowLogits(config, model.tensors(), ids);
      const logits = take(model.logits({ ids, batchSize: 1, length: 9 }));
      expect(maxDifference(logits, expected.flat())).toBeLessThan(ROUNDING);
      const decoder = createDecoder(model, { maxSequences: 1, maxLength: 9 });
      for (const [from, to] of [
        [0, 5],
        [5, 6],
        [6, 9],
      ] as const) {
        const last = await decoder.append([{ slot: 0, ids: ids.slice(from, to) }]);
        expect(maxDifference(last, expected[to - 1]!)).toBeLessThan(ROUNDING);
      }
      decoder.dispose();
      model.dispose();
    });
  }
});

describe("qwen2", () => {
  const config = tinyConfig("qwen2");

  it("has biases on q, k and v alone", () => {
    const names = [...createModel(config, { seed: 1 }).params.keys()];
    const biases = names.filter((name) => name.endsWith(".bias") && name.includes("layers.1."));
    expect(biases).toEqual(
      ["q", "k", "v"].map((part) => `model.layers.1.self_attn.${part}_proj.bias`),
    );
    expect(() => tinyConfig("qwen2", { bias: false })).toThrow("bias must be true");
  });

  it("is written and read as transformers' Qwen2", () => {
    const hf = toHfConfig(config);
    expect(hf).toMatchObject({ model_type: "qwen2", architectures: ["Qwen2ForCausalLM"] });
    expect(fromHfConfig(hf)).toEqual(config);
    const { head_dim: _, ...foreign } = hf;
    expect(fromHfConfig({ ...foreign, sliding_window: 4096, max_window_layers: 28 })).toEqual(
      config,
    );
    expect(() => fromHfConfig({ ...hf, use_sliding_window: true })).toThrow("use_sliding_window");
    const mixed = { ...hf, layer_types: ["full_attention", "sliding_attention"] };
    expect(() => fromHfConfig(mixed)).toThrow("layer_types");
  });
});
