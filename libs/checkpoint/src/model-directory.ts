import { basename, join } from "node:path";
import { StagecraftError, type JsonObject } from "@stagecraft/core";
import {
  atomicReplaceDirectory,
  listNames,
  locateDirectory,
  recoverDirectory,
} from "./atomic-directory.js";
import type { FileContent } from "./atomic-write.js";
import { nodeFileSystem, readJson, readText, type FileSystem } from "./file-system.js";
import {
  encodeWeights,
  INDEX_FILE,
  isWeightsFile,
  readWeights,
  WEIGHTS_FILE,
} from "./model-weights.js";
import type { TensorEntry, TensorMap } from "./tensor-entry.js";

/** A model in Hugging Face layout: config.json, weights, tokenizer and other text files. */
export interface ModelDirectory {
  readonly config: JsonObject;
  readonly tensors: TensorMap;
  /** The remaining text files by name (tokenizer.json, chat_template.jinja, …). */
  readonly files: Readonly<Record<string, string>>;
}

const CONFIG_FILE = "config.json";

/** What a model directory may hold and may lose when a model is written over it. */
const STANDARD_FILES = new Set([
  CONFIG_FILE,
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "chat_template.jinja",
  // Where the model comes from: written anew with every model.
  "lineage.json",
  "README.md",
]);

const TEXT_FILE = /\.(json|jinja|txt|md)$/;

/**
 * Reads a model directory, ours or a foreign one (sharded weights through their index too). Throws
 * `not_found` naming the missing file, `data_loss` for damaged weights or broken JSON.
 */
export async function readModelDirectory(
  directory: string,
  { fileSystem = nodeFileSystem }: { fileSystem?: FileSystem } = {},
): Promise<ModelDirectory & { readonly tensors: Map<string, TensorEntry> }> {
  const described = await readModelDescription(directory, { fileSystem });
  const home = await locateDirectory(directory, fileSystem);
  const names = await listNames(home, fileSystem);
  const tensors = await readWeights(home, names, fileSystem);
  if (tensors) return { ...described, tensors };
  const pickled = names.some((name) => name.endsWith(".bin"));
  const hint = pickled ? " (pickled .bin weights are not read; convert them)" : "";
  throw missing(directory, `it has no ${WEIGHTS_FILE}${hint}`);
}

/** Everything of a model directory but its weights; same errors. */
export async function readModelDescription(
  directory: string,
  { fileSystem = nodeFileSystem }: { fileSystem?: FileSystem } = {},
): Promise<Omit<ModelDirectory, "tensors">> {
  const home = await locateDirectory(directory, fileSystem);
  const names = await listNames(home, fileSystem);
  if (names.length === 0) throw missing(directory, "no such directory, or it is empty");
  if (!names.includes(CONFIG_FILE)) {
    const isAdapter = names.includes("adapter_config.json");
    const merge = `npx stagecraft export model BASE --adapter ${directory} --out MODEL`;
    const hint = isAdapter ? `; it is a PEFT adapter: make a model of it with \`${merge}\`` : "";
    throw missing(directory, `it has no ${CONFIG_FILE}${hint}`);
  }
  const files: Record<string, string> = {};
  for (const name of names) {
    if (name === CONFIG_FILE || name === INDEX_FILE || !TEXT_FILE.test(name)) continue;
    files[name] = await readText(join(home, name), fileSystem);
  }
  return { config: await readJson(join(home, CONFIG_FILE), fileSystem), files };
}

export interface WriteModelOptions {
  fileSystem?: FileSystem;
  /** Weights of more bytes are written as shards with an index; default: never. */
  maxShardBytes?: number | undefined;
}

/**
 * Writes a model directory, replacing an earlier model there in one step. Throws
 * `failed_precondition` when the directory holds files that are not a model's, `resource_exhausted`
 * on a full disk.
 */
export async function writeModelDirectory(
  directory: string,
  { config, tensors, files }: ModelDirectory,
  { fileSystem = nodeFileSystem, maxShardBytes }: WriteModelOptions = {},
): Promise<void> {
  await recoverDirectory(directory, { fileSystem });
  const content = new Map<string, FileContent>(Object.entries(files).filter(isPlainName));
  content.set(CONFIG_FILE, configText(config));
  for (const [name, file] of encodeWeights(tensors, maxShardBytes)) content.set(name, file);
  await refuseToDelete(directory, content, fileSystem);
  await atomicReplaceDirectory(directory, content, { fileSystem });
}

/** transformers 5 reads no whole number in these fields: 30 has to be 30.0. */
const FLOATS = /^(\s*"(?:final|attn)_logit_softcapping": \d+)(?=,?$)/gm;

function configText(config: JsonObject): string {
  return `${JSON.stringify(config, null, 2)}\n`.replace(FLOATS, "$1.0");
}

async function refuseToDelete(
  directory: string,
  content: ReadonlyMap<string, FileContent>,
  fileSystem: FileSystem,
): Promise<void> {
  const foreign = (await listNames(directory, fileSystem)).filter(
    (name) => !content.has(name) && !STANDARD_FILES.has(name) && !isWeightsFile(name),
  );
  if (foreign.length === 0) return;
  throw new StagecraftError(
    "failed_precondition",
    `${directory} holds files that are not part of a model (${foreign.slice(0, 5).join(", ")}); choose another directory`,
    { details: { directory, foreign } },
  );
}

function isPlainName([name]: [string, string]): boolean {
  if (basename(name) === name && name !== "." && name !== "..") return true;
  throw new StagecraftError("invalid_argument", `${name} is not a plain file name`);
}

function missing(directory: string, problem: string): StagecraftError {
  return new StagecraftError(
    "not_found",
    `${directory} is not a model directory: ${problem}; expected ${CONFIG_FILE} and ${WEIGHTS_FILE}`,
    { details: { directory } },
  );
}
