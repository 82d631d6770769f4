import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readModelDirectory, writeModelDirectory } from "@stagecraft/checkpoint";
import { initEngine } from "@stagecraft/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { tinyConfig, tinyModel } from "../../test/tiny.js";
import type { ModelConfig } from "../config.js";
import type { Architecture } from "../families/index.js";
import { loadModel, saveModel } from "../model-files.js";
import { exportGguf } from "./export-gguf.js";
import { quantizeQ8 } from "./q8.js";

beforeAll(() => initEngine({ numThreads: 1 }));

const BYTE_LEVEL = { type: "ByteLevel", add_prefix_space: false };

/** A byte-level tokenizer of two tokens and a merge. */
const tokenizerJson = (changes: object = {}) => ({
  added_tokens: [
    { id: 3, content: "<s>", special: true },
    { id: 4, content: "<x>", special: false },
  ],
  normalizer: null,
  pre_tokenizer: BYTE_LEVEL,
  model: { type: "BPE", vocab: { a: 0, b: 1, ab: 2 }, merges: [["a", "b"]] },
  ...changes,
});

const filesOf = (json: object) => ({
  "tokenizer.json": JSON.stringify(json),
  "tokenizer_config.json": JSON.stringify({ bos_token: "<s>", eos_token: "<s>" }),
  "chat_template.jinja": "{{ messages }}",
});

async function workshop() {
  const path = await mkdtemp(join(tmpdir(), "stagecraft-gguf-"));
  return {
    model: join(path, "model"),
    file: join(path, "m.gguf"),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** Metadata and tensors of a file, read by what the format says. */
async function readGguf(file: string) {
  const bytes = await readFile(file);
  let at = 8;
  const u32 = () => bytes.readUInt32LE((at += 4) - 4);
  const u64 = () => Number(bytes.readBigUInt64LE((at += 8) - 8));
  const text = () => {
    const length = u64();
    return bytes.toString("utf8", at, (at += length));
  };
  const read: Record<number, () => unknown> = {
    4: u32,
    5: () => bytes.readInt32LE((at += 4) - 4),
    6: () => bytes.readFloatLE((at += 4) - 4),
    7: () => bytes[at++] === 1,
    8: text,
    9: () => {
      const type = u32();
      return Array.from({ length: u64() }, () => read[type]!());
    },
  };
  const [numTensors, numKeys] = [u64(), u64()];
  const metadata: Record<string, unknown> = {};
  for (let i = 0; i < numKeys; i++) metadata[text()] = read[u32()]!();
  const tensors: Record<string, { dims: number[]; type: number; offset: number }> = {};
  for (let i = 0; i < numTensors; i++) {
    tensors[text()] = {
      dims: Array.from({ length: u32() }, u64),
      type: u32(),
      offset: u64(),
    };
  }
  const start = Math.ceil(at / 32) * 32;
  return {
    head: bytes.toString("latin1", 0, 4),
    version: bytes[4],
    metadata,
    tensors,
    start,
    bytes,
  };
}

async function save(model: string, architecture: Architecture, fields: Partial<ModelConfig> = {}) {
  const tiny = tinyModel(tinyConfig(architecture, fields));
  await saveModel(model, tiny, { tokenizerFiles: filesOf(tokenizerJson()) });
  return tiny;
}

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
    expect(tokens).toHaveLength(23);
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

  for (const [architecture, fields, problem] of [
    ["phi3", {}, "models of type phi3 are not written"],
    ["mistral", { slidingWindow: 4 }, "a sliding window"],
    ["smollm3", { ropeLayers: [true, false] }, "layers without rotary positions"],
    ["gemma2", {}, "gemma2 without its two caps"],
    ["gpt2", { activation: "relu" }, "the activation relu in gpt2"],
    ["llama", { ropeScaling: { rope_type: "yarn", factor: 2 } }, "rotary angles of type yarn"],
    ["qwen3", { bias: "attention" }, "biases of attention in qwen3"],
  ] as const) {
    it(`is not written of what llama.cpp would compute otherwise: ${problem}`, async () => {
      await using at = await workshop();
      const more = architecture === "llama" ? { original_max_position_embeddings: 16 } : {};
      const scaled =
        "ropeScaling" in fields ? { ropeScaling: { ...fields.ropeScaling, ...more } } : {};
      await save(at.model, architecture, { ...fields, ...scaled } as Partial<ModelConfig>);
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

  for (const [changes, problem] of [
    [{ normalizer: { type: "NFC" } }, "a normalizer"],
    [{ pre_tokenizer: { type: "Whitespace" } }, "it is no byte-level BPE"],
    [{ model: { type: "Unigram", vocab: [] } }, "it is no byte-level BPE"],
    [
      { pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "Split" }, BYTE_LEVEL] } },
      "a pattern of words that llama.cpp has not; --pre gpt-2|",
    ],
  ] as const) {
    it(`is not written with a tokenizer that llama.cpp has not: ${problem}`, async () => {
      await using at = await workshop();
      await save(at.model, "llama");
      await writeFile(`${at.model}/tokenizer.json`, JSON.stringify(tokenizerJson(changes)));
      const write = (pre?: string) => exportGguf(at.model, at.file, { dtype: "f32", pre });
      await expect(write()).rejects.toThrow(problem);
      if (problem.includes("--pre")) {
        await expect(write("qwen9")).rejects.toThrow("--pre must be one of gpt-2, llama-bpe");
        await write("qwen2");
      }
    });
  }
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
