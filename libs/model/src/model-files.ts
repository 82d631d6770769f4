import { join } from "node:path";
import { StagecraftError, type JsonObject, type JsonValue } from "@stagecraft/core";
import {
  readModelDescription,
  readModelDirectory,
  writeModelDirectory,
  type TensorData,
  type TensorMap,
} from "@stagecraft/checkpoint";
import { releaseIdleMemory } from "@stagecraft/tensor";
import { parsedTokenizerJson, rowsNeeded } from "@stagecraft/tokenizer";
import { applyAdapter } from "./adapter/adapter-files.js";
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
import { storeAs, type ModelDtype } from "./model-dtype.js";
import { HEAD_NAMES, type Head } from "./names.js";
import { parameterSpecs } from "./parameters.js";
import { checkTensors } from "./strict-load.js";

export interface LoadModelOptions {
  /** Default: the heads that were saved. Missing value and score heads are initialised afresh. */
  heads?: readonly Head[];
  /** Seed of heads that the directory does not hold; default 0. */
  seed?: number;
  /** Directory of a PEFT adapter, which is added to the weights; default none. */
  adapter?: string | undefined;
}

export interface SaveModelOptions {
  /** Files of the tokenizer by name, from `tokenizer.files()`. */
  tokenizerFiles: Readonly<Record<string, string>>;
  /** Kept in config.json under `stagecraft` and returned by `readModelInfo`. */
  extra?: JsonObject;
  /** Type of the weights in the file; default f32, which is what they are in memory. */
  dtype?: ModelDtype;
  /** Weights of more bytes become several files with an index; default: one file. */
  maxShardBytes?: number | undefined;
}

/** What a model directory says about itself, its weights unread. */
export interface ModelInfo {
  readonly config: ModelConfig;
  readonly heads: readonly Head[];
  readonly extra: JsonObject;
  /** Tokenizer and other text files by name. */
  readonly files: Readonly<Record<string, string>>;
}

/** A model directory as it was read and looked at: what `saveModel` takes, without an engine. */
export interface WholeModel extends ModelContents {
  /** Tokenizer and other text files by name. */
  readonly files: Readonly<Record<string, string>>;
  /** What config.json keeps of ours. */
  readonly extra: JsonObject;
}

/**
 * Reads a model directory in Hugging Face layout, ours or a foreign one (docs/models.md): the one way to its
 * weights. Throws `not_found` for a missing directory or file, `data_loss` for damaged weights and values that
 * are not finite, `unimplemented` for another architecture, `failed_precondition` for a tokenizer with more
 * tokens than the embeddings have rows.
 */
async function readModel(
  directory: string,
  { adapter }: Pick<LoadModelOptions, "adapter">,
): Promise<Omit<WholeModel, "tensors"> & { tensors: TensorMap }> {
  const { config: hf, tensors, files } = await readModelDirectory(directory);
  const config = fromHfConfig(hf, join(directory, "config.json"));
  checkVocabulary(config, rowsNeeded(files), directory);
  if (adapter !== undefined) await applyAdapter(tensors, adapter);
  const { tensors: ours, dtype } = fromHfTensors(config, tensors);
  refuseNotFinite(ours, directory);
  return {
    ...{ config, files, dtype, tensors: ours },
    heads: headsOfHfConfig(hf),
    extra: extraOfHfConfig(hf),
  };
}

/**
 * A model as its directory has it, every weight there and none beyond. Errors as `loadModel`.
 */
export async function readWholeModel(
  directory: string,
  options: Pick<LoadModelOptions, "adapter"> = {},
): Promise<WholeModel> {
  const { tensors, ...read } = await readModel(directory, options);
  const { config, heads } = read;
  const others = (Object.keys(HEAD_NAMES) as Head[]).filter((head) => !heads.includes(head));
  const foreign = new Set<string>(others.flatMap((head) => Object.values(HEAD_NAMES[head])));
  const own = new Map([...tensors].filter(([name]) => !foreign.has(name)));
  const scoreBias = own.has(HEAD_NAMES.score.bias);
  checkTensors(config, parameterSpecs(config, heads, { scoreBias }), own);
  return { ...read, tensors: () => own };
}

/** The model of a directory. Errors as `readModel`, and `failed_precondition` listing every weight that does not fit. */
export async function loadModel(
  directory: string,
  { heads, seed = 0, adapter }: LoadModelOptions = {},
): Promise<Model> {
  const read = await readModel(directory, { adapter });
  return modelFromTensors(read.config, read.tensors, {
    heads: heads ?? read.heads,
    ...{ seed, dtype: read.dtype },
    adopt: "exclusive", // read for this model alone
  });
}

/** A model that diverged, or a file damaged where no check sees it, answers nothing but NaN. */
function refuseNotFinite(tensors: TensorMap, directory: string): void {
  const bad = [...tensors].filter(([, { data }]) => hasNotFinite(data)).map(([name]) => name);
  if (bad.length === 0) return;
  const more = bad.length > 1 ? ` and of ${bad.length - 1} more tensors` : "";
  throw new StagecraftError(
    "data_loss",
    `${directory}: values of ${bad[0]}${more} are not finite: the model diverged or its file is damaged; use another one`,
    { details: { directory, tensors: bad.slice(0, 100) } },
  );
}

function hasNotFinite(data: TensorData): boolean {
  if (!(data instanceof Float32Array)) return false;
  for (let i = 0; i < data.length; i++) if (data[i]! - data[i]! !== 0) return true;
  return false;
}

/** Reads config.json and the text files of a model directory; errors as `loadModel`. */
export async function readModelInfo(directory: string): Promise<ModelInfo> {
  const { config: hf, files } = await readModelDescription(directory);
  const config = fromHfConfig(hf, join(directory, "config.json"));
  checkVocabulary(config, rowsNeeded(files), directory);
  return {
    config,
    heads: headsOfHfConfig(hf),
    extra: extraOfHfConfig(hf),
    files,
  };
}

/**
 * Throws `failed_precondition` when a tokenizer has more tokens than the model has embeddings. Fewer
 * are fine: tables are padded, and ids without a token are never drawn.
 */
export function checkVocabulary(
  { vocabSize }: Pick<ModelConfig, "vocabSize">,
  numTokens: number,
  directory: string,
): void {
  if (numTokens <= vocabSize) return;
  throw new StagecraftError(
    "failed_precondition",
    `the tokenizer has ${numTokens} tokens, the model of ${directory} only ${vocabSize}; use the tokenizer that the model was trained with`,
    { details: { numTokens, vocabSize } },
  );
}

/**
 * Writes a model directory atomically; transformers loads it. Errors as `writeModelDirectory`, and
 * `failed_precondition` for a weight that `dtype` cannot hold.
 */
export async function saveModel(
  directory: string,
  model: ModelContents,
  { tokenizerFiles: files, extra = {}, dtype = "f32", maxShardBytes }: SaveModelOptions,
): Promise<void> {
  const { config, heads } = model;
  releaseIdleMemory(); // what merging and rounding make takes the place of what waits for the next step
  const content = {
    config: toHfConfig(config, { heads, extra, dtype, specials: specialsOf(heads, files) }),
    tensors: storeAs(dtype, toHfTensors(config, model.tensors({ live: true }))),
    files,
  };
  await writeModelDirectory(directory, content, { maxShardBytes });
}

/**
 * Tools that read a score at the last token that is no padding would step over an end that pads, too:
 * a reward model names no padding then.
 */
function specialsOf(heads: readonly Head[], files: SaveModelOptions["tokenizerFiles"]): SpecialIds {
  const specials = specialIds(files);
  const turnEnd = [specials.eos].flat()[0];
  const hidesEnd = !heads.includes("lm") && specials.pad === turnEnd;
  return hidesEnd ? { ...specials, pad: null } : specials;
}

/** What the tokenizer says ends an answer, else the id of its `eos_token`. */
function endIds(files: Readonly<Record<string, string>>, eos: number | null) {
  const listed = parse(files["generation_config.json"])["eos_token_id"];
  return listed == null ? eos : (listed as number | number[]);
}

/** The ids behind the token names of tokenizer_config.json, as tokenizer.json numbers them. */
function specialIds(files: Readonly<Record<string, string>>): SpecialIds {
  const names = parse(files["tokenizer_config.json"]);
  const added = tokenizerJson(files["tokenizer.json"])["added_tokens"];
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

function tokenizerJson(text: string | undefined): JsonObject {
  return text === undefined ? {} : (parsedTokenizerJson(text) as JsonObject);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
