import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readModelDirectory, type TensorMap } from "@stagecraft/checkpoint";
import { createDecoder } from "../generation/decoder.js";
import { initEngine } from "@stagecraft/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { slowLogits } from "../../test/slow-forward.js";
import { maxDifference, randomIds, take, tinyConfig, tinyModel } from "../../test/tiny.js";
import { fromHfConfig, toHfConfig } from "../hf-config.js";
import { loadModel, saveModel } from "../model-files.js";
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

const FIXTURES = join(import.meta.dirname, "../../test/fixtures/families");

describe("models of every family that transformers saved", () => {
  for (const name of readdirSync(FIXTURES)) {
    const directory = join(FIXTURES, name);
    const text = readFileSync(join(directory, "expected.json"), "utf8");
    const { ids, logits, greedy } = JSON.parse(text) as {
      ids: number[];
      logits: number[][];
      greedy: number[];
    };

    it(`give its logits, trained and decoded, and its greedy tokens: ${name}`, async () => {
      const model = await loadModel(directory);
      const all = { ids: Int32Array.from(ids), batchSize: 1, length: ids.length };
      expect(maxDifference(take(model.logits(all)), logits.flat())).toBeLessThan(ROUNDING);
      const decoder = createDecoder(model, { maxSequences: 1, maxLength: 24 });
      const drawn: number[] = [];
      let next = ids;
      while (drawn.length < greedy.length) {
        const last = await decoder.append([{ slot: 0, ids: Int32Array.from(next) }]);
        if (drawn.length === 0) expect(maxDifference(last, logits.at(-1)!)).toBeLessThan(ROUNDING);
        next = [last.indexOf(Math.max(...last))];
        drawn.push(...next);
      }
      expect(drawn).toEqual(greedy);
      decoder.dispose();
      model.dispose();
    });

    it(`are written and read back as they were: ${name}`, async () => {
      const dir = await mkdtemp(join(tmpdir(), "stagecraft-family-"));
      const model = await loadModel(directory);
      await saveModel(join(dir, "model"), model, { tokenizerFiles: {} });
      const again = await loadModel(join(dir, "model"));
      expect(again.config).toEqual(model.config);
      expect(again.tensors()).toEqual(model.tensors());
      const [theirs, ours] = [directory, join(dir, "model")].map((each) =>
        readModelDirectory(each),
      );
      // transformers has two names for the output map of GPT-NeoX.
      const shapes = ({ tensors }: { tensors: TensorMap }) =>
        [...tensors]
          .map(([tensor, { shape }]) => `${tensor.replace("embed_out", "lm_head")} ${shape.join()}`)
          .sort();
      expect(shapes(await ours!)).toEqual(shapes(await theirs!));
      await rm(dir, { recursive: true });
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
