import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { f32, readSafetensors, writeSafetensors } from "@stagecraft/checkpoint";
import { createRandom, type JsonObject } from "@stagecraft/core";
import { initEngine, tf } from "@stagecraft/tensor";
import { tempDir } from "@stagecraft/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { maxDifference, randomIds, take, tinyConfig, tinyModel } from "../../test/tiny.js";
import type { Architecture } from "../families/index.js";
import { addLora } from "../lora.js";
import { loadModel, saveModel } from "../model-files.js";
import type { Model, ModelContents } from "../model.js";
import { saveAdapter } from "./adapter-files.js";

beforeAll(() => initEngine({ numThreads: 1 }));

const TARGETS = ["q", "v", "o", "up", "down"] as const;

/** A base, and what adapters of rank 2 made of it, as directories. */
async function trained(dir: string, architecture: Architecture) {
  const [base, model, out] = ["base", "model", "adapter"].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  const adapted = addLora(tinyModel(tinyConfig(architecture)), {
    ...{ rank: 2, alpha: 3, targets: TARGETS, seed: 4 },
  });
  await saveModel(base, adapted.base, { tokenizerFiles: {} });
  const random = createRandom(6);
  for (const [name, variable] of adapted.params) {
    if (!name.includes("lora_B")) continue;
    const values = Float32Array.from({ length: variable.size }, () => 0.3 * random.nextNormal());
    variable.assign(tf.tensor(values, variable.shape));
  }
  await saveModel(model, adapted, { tokenizerFiles: {} });
  return { base, model, out };
}

function logitsOf(model: Model) {
  return take(model.logits({ ids: randomIds(23, 12), batchSize: 1, length: 12 }));
}

/** Saves the model with one tensor changed. */
async function change(dir: string, name: string, to: (values: Float32Array) => Float32Array) {
  const model = await loadModel(dir);
  const { config, heads, dtype } = model;
  const tensors = new Map(model.tensors());
  const { shape, data } = tensors.get(name)!;
  tensors.set(name, f32(shape, to(data as Float32Array)));
  const changed: ModelContents = { config, heads, dtype, tensors: () => tensors };
  await saveModel(dir, changed, { tokenizerFiles: {} });
}

async function editConfig(adapter: string, fields: JsonObject) {
  const file = join(adapter, "adapter_config.json");
  const config = JSON.parse(await readFile(file, "utf8")) as JsonObject;
  await writeFile(file, JSON.stringify({ ...config, ...fields }));
}

describe("PEFT adapters", () => {
  for (const architecture of ["llama", "phi3", "gpt_neox", "gpt2"] as const) {
    it(`make of the base what training made of it: ${architecture}`, async () => {
      await using dir = await tempDir();
      const { base, model, out } = await trained(dir.path, architecture);
      const { rank, modules } = await saveAdapter(out, { base, model, maxRank: 8 });
      const isFused = architecture === "phi3" || architecture.startsWith("gpt");
      expect([rank > 2, modules.length]).toEqual([isFused, 2 * (isFused ? 4 : 5)]);
      const [tuned, merged] = [await loadModel(model), await loadModel(base, { adapter: out })];
      const expected = logitsOf(tuned);
      expect(maxDifference(logitsOf(merged), expected)).toBeLessThan(1e-4);
      expect(maxDifference(logitsOf(await loadModel(base)), expected)).toBeGreaterThan(0.1);
    });
  }

  it("are refused where an adapter does not hold what changed", async () => {
    await using dir = await tempDir();
    const { base, model, out } = await trained(dir.path, "llama");
    const save = (maxRank = 8) => saveAdapter(out, { base, model, maxRank });
    await expect(save(1)).rejects.toThrow("the change is of a rank above 1");
    await change(model, "model.norm.weight", (values) => values.map((value) => value + 1));
    await expect(save()).rejects.toThrow("cannot hold what changed: model.norm.weight");
    await expect(saveAdapter(out, { base, model: base, maxRank: 1 })).rejects.toThrow(
      "the two models have the same weights",
    );
    await expect(saveAdapter(base, { base, model, maxRank: 1 })).rejects.toThrow(
      "which is no part of an adapter",
    );
  });

  it("are refused for another base model, with the names that do not fit", async () => {
    await using dir = await tempDir();
    const { base, model, out } = await trained(dir.path, "llama");
    await saveAdapter(out, { base, model, maxRank: 8 });
    const other = join(dir.path, "other");
    const wider = tinyConfig("llama", { hiddenSize: 24 });
    await saveModel(other, tinyModel(wider), { tokenizerFiles: {} });
    await expect(loadModel(other, { adapter: out })).rejects.toThrow(
      /an adapter of another base model: model\.layers\.0\..*do not fit/,
    );
    await saveModel(other, tinyModel(tinyConfig("gpt2")), { tokenizerFiles: {} });
    await expect(loadModel(other, { adapter: out })).rejects.toThrow(
      /it has no model\.layers\.0\.\w+\.\w+\.weight/,
    );
    await expect(loadModel(base, { adapter: base })).rejects.toThrow("is no PEFT adapter");
    await expect(loadModel(out)).rejects.toThrow("npx stagecraft export model BASE --adapter");
  });

  for (const [fields, name] of [
    [{ use_dora: true }, "use_dora true"],
    [{ peft_type: "IA3" }, 'peft_type "IA3"'],
    [{ bias: "all" }, 'bias "all"'],
    [{ lora_bias: true }, "lora_bias true"],
    [{ rank_pattern: { q_proj: 4 } }, "rank_pattern"],
    [{ alpha_pattern: { q_proj: 4 } }, "alpha_pattern"],
    [{ modules_to_save: ["lm_head"] }, "modules_to_save"],
    [{ init_lora_weights: "pissa" }, 'init_lora_weights "pissa"'],
    [{ layer_replication: [[0, 2]] }, "layer_replication"],
    [{ trainable_token_indices: [3] }, "trainable_token_indices"],
    [{ target_parameters: ["w"] }, "target_parameters"],
    [{ lora_alpha: null }, "lora_alpha must be a number above 0"],
  ] as const) {
    it(`that compute something else are refused by name: ${name}`, async () => {
      await using dir = await tempDir();
      const { base, model, out } = await trained(dir.path, "llama");
      await saveAdapter(out, { base, model, maxRank: 8 });
      await editConfig(out, fields as unknown as JsonObject);
      await expect(loadModel(base, { adapter: out })).rejects.toThrow(name);
    });
  }

  it("with other tensors than LoRA's factors are refused by their names", async () => {
    await using dir = await tempDir();
    const { base, model, out } = await trained(dir.path, "llama");
    await saveAdapter(out, { base, model, maxRank: 8 });
    const file = join(out, "adapter_model.safetensors");
    const tensors = new Map((await readSafetensors(file)).tensors);
    const key = "base_model.model.model.embed_tokens.lora_embedding_A";
    tensors.set(key, f32([1], new Float32Array(1)));
    await writeSafetensors(file, tensors);
    await expect(loadModel(base, { adapter: out })).rejects.toThrow(`not supported: ${key}`);
  });

  it("with rank-stabilised scaling are added with α/√r", async () => {
    await using dir = await tempDir();
    const { base, model, out } = await trained(dir.path, "llama");
    const { rank } = await saveAdapter(out, { base, model, maxRank: 8 });
    const expected = logitsOf(await loadModel(base, { adapter: out }));
    await editConfig(out, { use_rslora: true, lora_alpha: Math.sqrt(rank) });
    const rooted = logitsOf(await loadModel(base, { adapter: out }));
    expect(maxDifference(rooted, expected)).toBeLessThan(1e-4);
  });
});
