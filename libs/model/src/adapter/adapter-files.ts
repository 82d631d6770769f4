/** PEFT's LoRA adapters as directories: adapter_config.json and adapter_model.safetensors. */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  atomicWriteFile,
  readModelDirectory,
  readSafetensors,
  writeSafetensors,
  type TensorMap,
} from "@stagecraft/checkpoint";
import { StagecraftError, type JsonObject, type JsonValue } from "@stagecraft/core";
import { familyOf } from "../families/index.js";
import { fromHfConfig } from "../hf-config.js";
import { isObject } from "../hf-reader.js";
import { extractAdapter } from "./extract-adapter.js";
import { mergeAdapter } from "./merge-adapter.js";
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, readLoraConfig, writeLoraConfig } from "./peft-config.js";

/**
 * Adds the adapter of a directory to weights in transformers' layout, in their place. Throws `not_found`,
 * `unimplemented` for what is not LoRA added to linear maps, `failed_precondition` for one of another model.
 */
export async function applyAdapter(weights: TensorMap, directory: string): Promise<void> {
  const config = readLoraConfig(await readConfig(directory), join(directory, ADAPTER_CONFIG));
  const file = join(directory, ADAPTER_WEIGHTS);
  const { tensors } = await readSafetensors(file);
  mergeAdapter(weights, tensors, { config, source: directory });
}

/**
 * The directory of the model that an adapter changes, by `base_model_name_or_path`: from here, or from the
 * adapter. Throws `not_found` where there is none, as of a name in a hub.
 */
export async function baseOfAdapter(directory: string): Promise<string> {
  const name = (await readConfig(directory))["base_model_name_or_path"];
  const places = typeof name === "string" ? [name, resolve(directory, name)] : [];
  const base = places.find((place) => existsSync(join(place, "config.json")));
  if (base !== undefined) return base;
  const merge = `npx stagecraft export model BASE --adapter ${directory} --out MODEL`;
  throw new StagecraftError(
    "not_found",
    `${directory} is a PEFT adapter of ${JSON.stringify(name) ?? "no named model"}, which is no model directory here; name it by its path in ${ADAPTER_CONFIG}, or make a model of both: ${merge}`,
  );
}

async function readConfig(directory: string): Promise<JsonObject> {
  const file = join(directory, ADAPTER_CONFIG);
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    const problem = `${directory} is no PEFT adapter: it has no ${ADAPTER_CONFIG}`;
    throw new StagecraftError("not_found", problem, { cause });
  });
  try {
    const parsed = JSON.parse(text) as JsonValue;
    if (isObject(parsed)) return parsed;
  } catch {
    // said below
  }
  throw new StagecraftError("data_loss", `${file} is no JSON object; use another copy of it`);
}

export interface SaveAdapterOptions {
  /** Model directories; the adapter makes \`model\` of \`base\`. */
  base: string;
  model: string;
  /** Most ranks that it may have. */
  maxRank: number;
}

export interface SavedAdapter {
  rank: number;
  modules: readonly string[];
}

/**
 * Writes the adapter that makes one model of another, for PEFT. Throws \`failed_precondition\` where no adapter
 * does, and for a directory that holds other files.
 */
export async function saveAdapter(
  directory: string,
  { base, model, maxRank }: SaveAdapterOptions,
): Promise<SavedAdapter> {
  await refuseOtherFiles(directory);
  const [before, after] = [await readModelDirectory(base), await readModelDirectory(model)];
  const config = fromHfConfig(after.config, join(model, "config.json"));
  const { names, classes } = familyOf(config);
  const transposed = classes.lm.startsWith("GPT2");
  const root = names.block(0).q.weight.replace(/0\..*/, "");
  const isMap = (name: string) =>
    name.startsWith(root) &&
    name.endsWith(".weight") &&
    after.tensors.get(name)!.shape.length === 2;
  const adapter = extractAdapter(before.tensors, after.tensors, { isMap, maxRank, transposed });
  const { rank, modules, tensors } = adapter;
  await mkdir(directory, { recursive: true });
  await writeSafetensors(join(directory, ADAPTER_WEIGHTS), tensors, { metadata: { format: "pt" } });
  const described = writeLoraConfig({ base, rank, modules, transposed });
  await atomicWriteFile(join(directory, ADAPTER_CONFIG), `${JSON.stringify(described, null, 2)}\n`);
  return { rank, modules };
}

async function refuseOtherFiles(directory: string): Promise<void> {
  const names = await readdir(directory).catch((): string[] => []);
  const other = names.find((name) => name !== ADAPTER_CONFIG && name !== ADAPTER_WEIGHTS);
  if (other === undefined) return;
  throw new StagecraftError(
    "failed_precondition",
    `${directory} holds ${other}, which is no part of an adapter; choose another directory`,
  );
}
