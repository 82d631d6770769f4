/** Directories of models to export, and GGUF files read by what the format says. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ModelConfig } from "../src/config.js";
import type { Architecture } from "../src/families/index.js";
import { saveModel } from "../src/model-files.js";
import { tinyConfig, tinyModel } from "./tiny.js";

export const BYTE_LEVEL = { type: "ByteLevel", add_prefix_space: false };

export const SPLIT = {
  type: "Split",
  pattern: { Regex: "x" },
  behavior: "Isolated",
  invert: false,
};

export const VOCAB_SIZE = 300;

/** GPT-2's letters for bytes: themselves where they print, others from 256 on. */
const BYTES = Array.from({ length: 256 }, (_, byte) => byte).map((byte, _, all) => {
  const prints = (b: number) => (b > 32 && b < 127) || (b > 160 && b !== 173);
  const at = prints(byte) ? byte : 256 + all.slice(0, byte).filter((b) => !prints(b)).length;
  return String.fromCodePoint(at);
});
const LETTERS = Object.fromEntries([...BYTES.entries()].map(([i, letter]) => [letter, 10 + i]));

/** A byte-level tokenizer of a merge. */
export const tokenizerJson = (changes: object = {}) => ({
  added_tokens: [
    { id: 3, content: "<s>", special: true },
    { id: 4, content: "<x>", special: false },
  ],
  normalizer: null,
  pre_tokenizer: BYTE_LEVEL,
  model: { type: "BPE", vocab: { ...LETTERS, a: 0, b: 1, ab: 2 }, merges: [["a", "b"]] },
  ...changes,
});

export const filesOf = (json: object): Record<string, string> => ({
  "tokenizer.json": JSON.stringify(json),
  "tokenizer_config.json": JSON.stringify({ bos_token: "<s>", eos_token: "<s>" }),
  "chat_template.jinja": "{{ messages }}",
});

export async function workshop() {
  const path = await mkdtemp(join(tmpdir(), "stagecraft-gguf-"));
  return {
    model: join(path, "model"),
    file: join(path, "m.gguf"),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** Metadata and tensors of a file, read by what the format says. */
export async function readGguf(file: string) {
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

export async function save(
  model: string,
  architecture: Architecture,
  fields: Partial<ModelConfig> = {},
) {
  const tiny = tinyModel(tinyConfig(architecture, { vocabSize: VOCAB_SIZE, ...fields }));
  await saveModel(model, tiny, { tokenizerFiles: filesOf(tokenizerJson()) });
  return tiny;
}
