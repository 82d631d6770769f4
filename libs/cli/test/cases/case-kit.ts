import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  createModel,
  presetConfig,
  saveModel,
  type Architecture,
  type Head,
  type ModelConfig,
  type ModelDtype,
} from "@stagecraft/model";
import { initEngine } from "@stagecraft/tensor";
import { trainBpe, type Tokenizer } from "@stagecraft/tokenizer";
import { runCli, type CliResult } from "../spawn-cli.js";
import type { Workshop } from "../tiny-model.js";

export { runCli, spawnCli, type CliResult } from "../spawn-cli.js";
export { openWorkshop, type Workshop } from "../tiny-model.js";

const SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
const CHATML =
  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + " +
  "'<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** The 256 bytes and the chat tokens of ours. */
function byteTokenizer(): Promise<Tokenizer> {
  return trainBpe(["text"], { vocabSize: 262 });
}

/**
 * The files of a tokenizer as base models come with: 256 bytes and ChatML's tokens, its `eos_token`
 * (`<|endoftext|>`) another than the end of a turn (`<|im_end|>`), a new line after each turn.
 */
export async function chatmlFiles(): Promise<Record<string, string>> {
  const tokenizer = await trainBpe(["text"], { vocabSize: 259, specialTokens: SPECIALS });
  const end = "<|endoftext|>";
  const config = {
    tokenizer_class: "PreTrainedTokenizerFast",
    clean_up_tokenization_spaces: false,
    ...{ bos_token: end, eos_token: end, pad_token: end },
    chat_template: CHATML,
  };
  return { ...tokenizer.files(), "tokenizer_config.json": JSON.stringify(config) };
}

export interface BaseOptions {
  /** Positions of the model. Default 64. */
  contextLength?: number;
  /** Default: those of `byteTokenizer`, whose chat tokens are ours. */
  tokenizerFiles?: Record<string, string>;
  /** Rows of the embeddings. Default: as many as the tokenizers of this file have tokens (262). */
  vocabSize?: number;
  hiddenSize?: number;
  heads?: readonly Head[];
  seed?: number;
  /** Default "llama". */
  architecture?: Architecture;
  /** Type of the weights in the file. Default f32. */
  dtype?: ModelDtype;
  /** Fields of the model that are not the family's. */
  config?: Partial<ModelConfig>;
}

/** Writes a random model of one layer to `dir`, and returns the directory. Milliseconds. */
export async function makeBase(dir: string, options: BaseOptions = {}): Promise<string> {
  const {
    contextLength = 64,
    vocabSize = 262,
    hiddenSize = 16,
    heads = ["lm"],
    seed = 1,
    architecture = "llama",
  } = options;
  const tokenizerFiles = options.tokenizerFiles ?? (await byteTokenizer()).files();
  await initEngine({ engine: "cpu" });
  const shape = { vocabSize, hiddenSize, numLayers: 1, numHeads: 2, maxPositions: contextLength };
  const sizes = { ...shape, ...options.config };
  const model = createModel(presetConfig(architecture, sizes), { seed, heads });
  await saveModel(dir, model, { tokenizerFiles, ...(options.dtype && { dtype: options.dtype }) });
  model.dispose();
  return dir;
}

/** Writes only a tokenizer's files, as `--tokenizer` takes them. */
export async function makeTokenizer(dir: string, files: Record<string, string>): Promise<string> {
  await mkdir(dir, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), content);
  return dir;
}

/** Records as JSONL in a file of the workshop; returns its path. */
export function writeRecords(workshop: Workshop, name: string, records: readonly object[]) {
  return workshop.write(name, records.map((record) => `${JSON.stringify(record)}\n`).join(""));
}

/** The records of a JSONL file, such as a run's metrics.jsonl or answers.jsonl. */
export async function readRecords(file: string): Promise<Record<string, unknown>[]> {
  const lines = (await readFile(file, "utf8")).split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** One conversation of a question and its answer, as `sft --data` reads it. */
export function example(question: string, answer: string) {
  const user = { role: "user", content: question };
  return { messages: [user, { role: "assistant", content: answer }] };
}

/** Runs a command that has to succeed; a failure shows what it printed. */
export async function succeed(args: readonly string[]): Promise<CliResult> {
  const result = await runCli(args);
  if (result.code !== 0) {
    throw new Error(`exit ${result.code} of stagecraft ${args.join(" ")}\n${result.err}`);
  }
  return result;
}
