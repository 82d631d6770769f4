import { join } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import type { FileContent } from "./atomic-write.js";
import { readJson, type FileSystem } from "./file-system.js";
import { readSafetensors } from "./read-safetensors.js";
import { encodeSafetensorsChunks } from "./safetensors.js";
import { corrupt } from "./safetensors-header.js";
import {
  BYTES_PER_ELEMENT,
  sizeOfShape,
  type TensorEntry,
  type TensorMap,
} from "./tensor-entry.js";

export const WEIGHTS_FILE = "model.safetensors";
export const INDEX_FILE = "model.safetensors.index.json";

const SHARD_FILE = /^model-\d{5}-of-\d{5}\.safetensors$/;

/** Whether a file of a model directory is of its weights. */
export function isWeightsFile(name: string): boolean {
  return name === WEIGHTS_FILE || name === INDEX_FILE || SHARD_FILE.test(name);
}

/** The weights of a directory that has these files: one, or shards by their index; undefined without any. */
export async function readWeights(
  directory: string,
  names: readonly string[],
  fileSystem: FileSystem,
): Promise<Map<string, TensorEntry> | undefined> {
  const read = (name: string) => readSafetensors(join(directory, name), { fileSystem });
  if (names.includes(WEIGHTS_FILE)) return new Map((await read(WEIGHTS_FILE)).tensors);
  if (!names.includes(INDEX_FILE)) return undefined;
  const indexFile = join(directory, INDEX_FILE);
  const index = await readJson(indexFile, fileSystem);
  const tensors = new Map<string, TensorEntry>();
  for (const shard of shardsOf(index["weight_map"], indexFile)) {
    for (const [name, entry] of (await read(shard)).tensors) tensors.set(name, entry);
  }
  return tensors;
}

/** The files that an index names: plain names beside it, whatever system wrote it. */
function shardsOf(weightMap: unknown, indexFile: string): Set<string> {
  if (typeof weightMap !== "object" || weightMap === null || Array.isArray(weightMap)) {
    throw corrupt(indexFile, "weight_map is missing; it must map tensors to files");
  }
  const shards = new Set<unknown>(Object.values(weightMap));
  for (const shard of shards) {
    if (typeof shard === "string" && /^[^/\\\0]+\.safetensors$/.test(shard)) continue;
    const shown = JSON.stringify(shard)?.slice(0, 100);
    throw corrupt(indexFile, `weight_map names ${shown}, which is no safetensors file beside it`);
  }
  return shards as Set<string>;
}

/**
 * The files of weights: one, or with `maxShardBytes` as many as it takes that none has more (but for a
 * tensor that is larger alone), named and listed as transformers does.
 */
export function encodeWeights(
  tensors: TensorMap,
  maxShardBytes = Infinity,
): Map<string, FileContent> {
  if (!(maxShardBytes > 0)) {
    throw new StagecraftError(
      "invalid_argument",
      `a shard of ${maxShardBytes} bytes holds nothing`,
    );
  }
  const shards = divide(tensors, maxShardBytes);
  const encode = (shard: TensorMap) => encodeSafetensorsChunks(shard, { format: "pt" });
  if (shards.length === 1) return new Map([[WEIGHTS_FILE, encode(shards[0]!)]]);
  const number = (i: number) => String(i).padStart(5, "0");
  const files = new Map<string, FileContent>();
  const weightMap: Record<string, string> = {};
  shards.forEach((shard, i) => {
    const name = `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`;
    files.set(name, encode(shard));
    for (const tensor of shard.keys()) weightMap[tensor] = name;
  });
  const total_size = [...tensors.values()].reduce((sum, entry) => sum + sizeOf(entry), 0);
  const index = { metadata: { total_size }, weight_map: weightMap };
  return files.set(INDEX_FILE, `${JSON.stringify(index, null, 2)}\n`);
}

function divide(tensors: TensorMap, maxBytes: number): TensorMap[] {
  let shard = new Map<string, TensorEntry>();
  const shards = [shard];
  let bytes = 0;
  for (const [name, entry] of tensors) {
    const size = sizeOf(entry);
    if (shard.size > 0 && bytes + size > maxBytes) {
      shard = new Map();
      shards.push(shard);
      bytes = 0;
    }
    shard.set(name, entry);
    bytes += size;
  }
  return shards;
}

const sizeOf = ({ dtype, shape }: TensorEntry) => BYTES_PER_ELEMENT[dtype] * sizeOfShape(shape);
