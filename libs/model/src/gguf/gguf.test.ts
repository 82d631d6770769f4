import { readModelDirectory, writeModelDirectory } from "@stagecraft/checkpoint";
import { initEngine } from "@stagecraft/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import {
  VOCAB_SIZE,
  filesOf,
  readGguf,
  save,
  tokenizerJson,
  workshop,
} from "../../test/gguf-files.js";
import type { ModelConfig } from "../config.js";
import type { Architecture } from "../families/index.js";
import { loadModel, saveModel } from "../model-files.js";
import { exportGguf } from "./export-gguf.js";
import type { GgufType } from "./gguf-file.js";
import { quantizeQ8 } from "./q8.js";

beforeAll(() => initEngine({ numThreads: 1 }));

const CONTEXT = { original_max_position_embeddings: 16 };
const YARN = { rope_type: "yarn", factor: 2, ...CONTEXT };
const LLAMA3 = {
  ...{ rope_type: "llama3", factor: 2, low_freq_factor: 1, high_freq_factor: 4 },
  ...CONTEXT,
};

describe("a GGUF file", () => {
  it("holds the metadata, the tokenizer and every tensor, each where it is said to be", async () => {
    await using at = await workshop();
    const tiny = await save(at.model, "llama", { hiddenSize: 32, intermediateSize: 24 });
    await exportGguf(at.model, at.file, { dtype: "f32" });
    const { head, version, metadata, tensors, start, bytes } = await readGguf(at.file);
    expect([head, version]).toEqual(["GGUF", 3]);
    expect(metadata).toMatchObject({
      "general.architecture": "llama",
      "general.name": "model",
      "llama.block_count": 2,
      "llama.attention.head_count_kv": 2,
      "tokenizer.ggml.model": "gpt2",
      "tokenizer.ggml.pre": "gpt-2",
      "tokenizer.ggml.merges": ["a b"],
      "tokenizer.ggml.bos_token_id": 3,
      "tokenizer.chat_template": "{{ messages }}",
    });
    const tokens = metadata["tokenizer.ggml.tokens"] as string[];
    expect(tokens.slice(0, 6)).toEqual(["a", "b", "ab", "<s>", "<x>", "[PAD5]"]);
    expect(tokens).toHaveLength(VOCAB_SIZE);
    expect((metadata["tokenizer.ggml.token_type"] as number[]).slice(0, 6)).toEqual([
      1, 1, 1, 3, 4, 5,
    ]);
    const { dims, type, offset } = tensors["blk.1.ffn_gate.weight"]!;
    expect([dims, type, offset % 32]).toEqual([[32, 24], 0, 0]);
    const stored = new Float32Array(
      bytes.buffer.slice(bytes.byteOffset + start + offset),
      0,
      32 * 24,
    );
    expect(stored).toEqual(tiny.tensors().get("model.layers.1.mlp.gate_proj.weight")!.data);
  });

  it("is written of files as GPT-2's are: without a prefix, with masks and a repeated matrix", async () => {
    await using at = await workshop();
    await save(at.model, "gpt2");
    const { config, files, tensors } = await readModelDirectory(at.model);
    const bare = new Map([...tensors].map(([name, entry]) => [name.slice(12), entry]));
    bare.set("h.0.attn.bias", { dtype: "U8", shape: [1], data: new Uint8Array(1) });
    bare.set("lm_head.weight", bare.get("wte.weight")!);
    await writeModelDirectory(at.model, { config, files, tensors: bare });
    await exportGguf(at.model, at.file, { dtype: "f16" });
    const names = Object.keys((await readGguf(at.file)).tensors);
    expect(names).toContain("blk.0.attn_qkv.weight");
    expect(names).not.toContain("output.weight");
  });

  it("has vectors in float32, and float16 where a row is no whole block of q8_0", async () => {
    await using at = await workshop();
    await save(at.model, "llama", { hiddenSize: 32, intermediateSize: 24 });
    await exportGguf(at.model, at.file, { dtype: "q8_0" });
    const { tensors, metadata } = await readGguf(at.file);
    const typeOf = (name: string) => tensors[name]!.type;
    expect(metadata["general.file_type"]).toBe(7);
    expect(typeOf("blk.0.attn_q.weight")).toBe(8);
    expect(typeOf("blk.0.ffn_down.weight")).toBe(1);
    expect(typeOf("blk.0.attn_norm.weight")).toBe(0);
  });

  it("says how many tensors have another type than the one asked for", async () => {
    await using at = await workshop();
    await save(at.model, "llama", { hiddenSize: 32, intermediateSize: 24 });
    const { numTensors, types } = await exportGguf(at.model, at.file, { dtype: "q8_0" });
    expect({ numTensors, types }).toEqual({ numTensors: 21, types: { q8_0: 14, f16: 2, f32: 5 } });
  });

  it("has no name by which llama.cpp would read texts otherwise", async () => {
    await using at = await workshop();
    await save(`${at.model}-Phi-3`, "llama");
    await exportGguf(`${at.model}-Phi-3`, at.file, { dtype: "f32" });
    expect((await readGguf(at.file)).metadata["general.name"]).toBe("model-Phi 3");
  });

  it("has zero biases where llama.cpp needs some and the model has none", async () => {
    await using at = await workshop();
    await save(at.model, "gpt2", { bias: false });
    await exportGguf(at.model, at.file, { dtype: "f32" });
    const { tensors } = await readGguf(at.file);
    expect(tensors["blk.1.attn_qkv.bias"]!.dims).toEqual([48]);
    expect(tensors["output_norm.bias"]!.dims).toEqual([16]);
  });

  it("holds fused weights, and the output map that GPT-NeoX has to have", async () => {
    await using at = await workshop();
    const phi = await save(at.model, "phi3");
    await exportGguf(at.model, at.file, { dtype: "f32" });
    const { tensors, bytes, start } = await readGguf(at.file);
    expect(tensors["blk.0.attn_qkv.weight"]!.dims).toEqual([16, 32]);
    const { dims, offset } = tensors["blk.0.ffn_up.weight"]!;
    expect(dims).toEqual([16, 48]);
    const gate = phi.tensors().get("model.layers.0.mlp.gate_proj.weight")!.data;
    const first = bytes.subarray(start + offset, start + offset + 4 * gate.length);
    expect(first.equals(Buffer.from(gate.buffer, gate.byteOffset, gate.byteLength))).toBe(true);
    await save(at.model, "gpt_neox", { activation: "gelu", tieEmbeddings: true });
    await exportGguf(at.model, at.file, { dtype: "f32" });
    expect(Object.keys((await readGguf(at.file)).tensors)).toContain("output.weight");
  });

  it("says the types of rotary angles that llama.cpp computes", async () => {
    await using at = await workshop();
    const metadataOf = async (architecture: Architecture, ropeScaling: object) => {
      const fields = { ropeScaling, numHeads: 4, headSize: 4 } as unknown as Partial<ModelConfig>;
      await save(at.model, architecture, fields);
      await exportGguf(at.model, at.file, { dtype: "f32" });
      return readGguf(at.file);
    };
    const context = { original_max_position_embeddings: 32 };
    const yarn = { rope_type: "yarn", factor: 4, ...context };
    const own = await metadataOf("qwen2", { ...yarn, attention_factor: 1.5 });
    expect(own.metadata).toMatchObject({
      "qwen2.rope.scaling.type": "yarn",
      "qwen2.rope.scaling.factor": 4,
      "qwen2.rope.scaling.original_context_length": 32,
    });
    const scale = own.metadata["qwen2.rope.scaling.attn_factor"] as number;
    expect(scale * (1 + 0.1 * Math.log(4))).toBeCloseTo(1.5, 6);
    const plain = (await metadataOf("llama", yarn)).metadata;
    expect(plain["llama.rope.scaling.attn_factor"]).toBe(1);
    const factors = {
      short_factor: [1, 2],
      long_factor: [3, 4],
      attention_factor: 1.25,
      factor: 4,
    };
    const long = await metadataOf("phi3", { rope_type: "longrope", ...factors, ...context });
    expect(long.metadata["phi3.rope.scaling.attn_factor"]).toBe(1.25);
    expect(long.tensors["rope_factors_short.weight"]!.dims).toEqual([2]);
    expect(long.tensors["rope_factors_long.weight"]!.dims).toEqual([2]);
  });

  for (const [architecture, fields, problem] of [
    ["phi3", { slidingWindow: 4 }, "a sliding window (llama.cpp's phi3 has none)"],
    ["gpt_neox", {}, "the activation gelu-erf in gpt_neox"],
    [
      "gemma3_text",
      { slidingWindow: 4, windowLayers: [true, false] },
      "windows in other layers than all but every 6th",
    ],
    ["gemma3_text", { attentionScale: 0.1 }, "query_pre_attn_scalar"],
    ["gemma3_text", { attentionSoftcap: 3 }, "capped attention scores"],
    ["smollm3", { bias: "attention" }, "biases of attention in smollm3"],
    ["qwen2", { ropeScaling: LLAMA3 }, "rotary angles of type llama3 in qwen2"],
    ["mistral", { slidingWindow: 4 }, "a sliding window"],
    ["smollm3", { ropeLayers: [true, false] }, "layers without rotary positions"],
    ["gemma2", {}, "gemma2 without its two caps"],
    ["gpt2", { activation: "relu" }, "the activation relu in gpt2"],
    ["llama", { ropeScaling: { ...YARN, truncate: false } }, "yarn with truncate false"],
    ["llama", { ropeScaling: { ...YARN, beta_fast: 16 } }, "yarn with other betas than 32 and 1"],
    ["qwen3", { bias: "attention" }, "biases of attention in qwen3"],
  ] as const) {
    it(`is not written of what llama.cpp would compute otherwise: ${problem}`, async () => {
      await using at = await workshop();
      await save(at.model, architecture, fields as unknown as Partial<ModelConfig>);
      await expect(exportGguf(at.model, at.file, { dtype: "f32" })).rejects.toThrow(problem);
    });
  }

  it("is not written of a reward model", async () => {
    await using at = await workshop();
    await save(at.model, "llama");
    const reward = await loadModel(at.model, { heads: ["score"] });
    await saveModel(at.model, reward, { tokenizerFiles: filesOf(tokenizerJson()) });
    await expect(exportGguf(at.model, at.file, { dtype: "f32" })).rejects.toThrow("heads score");
  });

  it("is not written of weights that loadModel refuses: a missing one, or one that is not finite", async () => {
    await using at = await workshop();
    await save(at.model, "llama");
    const { config, files, tensors } = await readModelDirectory(at.model);
    const write = async (changed: typeof tensors) => {
      await writeModelDirectory(at.model, { config, files, tensors: changed });
      return exportGguf(at.model, at.file, { dtype: "f32" });
    };
    const headless = new Map([...tensors].filter(([name]) => name !== "lm_head.weight"));
    await expect(write(headless)).rejects.toThrow("1 missing: lm_head.weight");
    (tensors.get("lm_head.weight")!.data as Float32Array)[3] = NaN;
    await expect(write(tensors)).rejects.toThrow("values of lm_head.weight are not finite");
  });

  it("is not written of values that its type cannot hold", async () => {
    await using at = await workshop();
    const write = async (value: number, dtype: GgufType) => {
      const tiny = await save(at.model, "llama", { hiddenSize: 32 });
      const tensors = tiny.tensors();
      (tensors.get("lm_head.weight")!.data as Float32Array)[3] = value;
      tiny.load(tensors);
      await saveModel(at.model, tiny, { tokenizerFiles: filesOf(tokenizerJson()) });
      return exportGguf(at.model, at.file, { dtype });
    };
    const problem = (type: string) => `output.weight has the value .*, more than ${type} can hold`;
    await expect(write(7e4, "f16")).rejects.toThrow(new RegExp(problem("f16")));
    await expect(write(9e6, "q8_0")).rejects.toThrow(new RegExp(problem("q8_0")));
    await write(7e4, "q8_0");
    await write(7e4, "bf16");
  });
});

describe("quantizeQ8()", () => {
  it("stores a scale of float16 and 32 numbers rounded away from 0", () => {
    const values = new Float32Array(64);
    values.set([127, -127, 0.5, -0.5, 0.49, 2.5]);
    const bytes = quantizeQ8(values);
    expect(bytes).toHaveLength(68);
    expect([...bytes.subarray(0, 2)]).toEqual([0x00, 0x3c]); // 1 in float16
    expect([...new Int8Array(bytes.buffer, 2, 6)]).toEqual([127, -127, 1, -1, 0, 3]);
    expect(bytes.subarray(34).every((byte) => byte === 0)).toBe(true);
  });
});
