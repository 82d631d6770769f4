import { join } from "node:path";
import type { JsonObject, JsonValue } from "@stagecraft/core";
import {
  readModelDescription,
  readModelDirectory,
  writeModelDirectory,
} from "@stagecraft/checkpoint";
import type { ModelConfig } from "./config.js";
import {
  extraOfHfConfig,
  fromHfConfig,
  headsOfHfConfig,
  toHfConfig,
  type SpecialIds,
} from "./hf-config.js";
import { fromHfTensors, toHfTensors } from "./hf-weights.js";
import { modelFromTensors, type Model, type ModelContents } from "./model.js";
import type { Head } from "./names.js";

export interface LoadModelOptions {
  /** Default: the heads that were saved. Missing value and score heads are initialised afresh. */
  heads?: readonly Head[];
  /** Seed of heads that the directory does not hold; default 0. */
  seed?: number;
}

export interface SaveModelOptions {
  /** Files of the tokenizer by name, from `tokenizer.files()`. */
  tokenizerFiles: Readonly<Record<string, string>>;
  /** Kept in config.json under `stagecraft` and returned by `readModelInfo`. */
  extra?: JsonObject;
}

/** What a model directory says about itself, its weights unread. */
export interface ModelInfo {
  readonly config: ModelConfig;
  readonly heads: readonly Head[];
  readonly extra: JsonObject;
  /** Tokenizer and other text files by name. */
  readonly files: Readonly<Record<string, string>>;
}

/**
 * Loads a model directory in Hugging Face layout, ours or a foreign Llama or GPT-2. Throws
 * `not_found` for a missing directory or file, `data_loss` for damaged weights, `unimplemented` for
 * another architecture, `failed_precondition` listing every weight that does not fit.
 */
export async function loadModel(
  directory: string,
  { heads, seed = 0 }: LoadModelOptions = {},
): Promise<Model> {
  const { config: hf, tensors } = await readModelDirectory(directory);
  const config = fromHfConfig(hf, join(directory, "config.json"));
  return modelFromTensors(config, fromHfTensors(config, tensors), {
    heads: heads ?? headsOfHfConfig(hf),
    seed,
    adopt: "exclusive", // read for this model alone
  });
}

/** Reads config.json and the text files of a model directory; errors as `loadModel`. */
export async function readModelInfo(directory: string): Promise<ModelInfo> {
  const { config: hf, files } = await readModelDescription(directory);
  return {
    config: fromHfConfig(hf, join(directory, "config.json")),
    heads: headsOfHfConfig(hf),
    extra: extraOfHfConfig(hf),
    files,
  };
}

/** Writes a model directory atomically; transformers loads it. Errors as `writeModelDirectory`. */
export async function saveModel(
  directory: string,
  model: ModelContents,
  { tokenizerFiles, extra = {} }: SaveModelOptions,
): Promise<void> {
  const { config, heads } = model;
  await writeModelDirectory(directory, {
    config: toHfConfig(config, { heads, extra, specials: specialIds(tokenizerFiles) }),
    tensors: toHfTensors(config, model.tensors()),
    files: tokenizerFiles,
  });
}

/** What the tokenizer says ends an answer, else the id of its `eos_token`. */
function endIds(files: Readonly<Record<string, string>>, eos: number | null) {
  const listed = parse(files["generation_config.json"])["eos_token_id"];
  return listed == null ? eos : (listed as number | number[]);
}

/** The ids behind the token names of tokenizer_config.json, as tokenizer.json numbers them. */
function specialIds(files: Readonly<Record<string, string>>): SpecialIds {
  const names = parse(files["tokenizer_config.json"]);
  const added = parse(files["tokenizer.json"])["added_tokens"];
  const idOf = (field: string) => {
    const named = names[field];
    const content = isObject(named) ? named["content"] : named;
    if (typeof content !== "string" || !Array.isArray(added)) return null;
    const token = added.find((item: JsonValue) => isObject(item) && item["content"] === content);
    return isObject(token) && typeof token["id"] === "number" ? token["id"] : null;
  };
  const eos = endIds(files, idOf("eos_token"));
  return { bos: idOf("bos_token"), eos, pad: idOf("pad_token") };
}

function parse(text: string | undefined): JsonObject {
  return text === undefined ? {} : (JSON.parse(text) as JsonObject);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
