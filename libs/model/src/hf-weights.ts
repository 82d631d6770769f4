import { StagecraftError } from "@stagecraft/core";
import { f32, type TensorEntry, type TensorMap } from "@stagecraft/checkpoint";
import type { ModelConfig } from "./config.js";
import { HEAD_NAMES, parameterNames } from "./parameters.js";

/**
 * Weights as transformers saves them. llama: unchanged. gpt2: its Conv1D maps are [in, out], q, k
 * and v are one c_attn, and every bias exists, so that a model without biases gets zero ones.
 */
export function toHfTensors(config: ModelConfig, tensors: TensorMap): TensorMap {
  if (config.architecture === "llama") return tensors;
  const converted = new Map<string, TensorEntry>();
  for (const [name, entry] of tensors) {
    if (PROJECTION.test(name)) continue;
    converted.set(name, CONV1D_WEIGHT.test(name) ? transpose(entry) : entry);
  }
  for (let layer = 0; layer < config.numLayers; layer++) fuse(tensors, layer, converted);
  if (!config.bias) addZeroBiases(config, converted);
  return converted;
}

/**
 * Our layout from that of transformers, foreign quirks removed: the missing prefix of bare base
 * models, attention-mask and rotary buffers, an lm_head that repeats tied embeddings. What is
 * missing or misshapen stays so, for the strict check to report.
 */
export function fromHfTensors(config: ModelConfig, tensors: TensorMap): TensorMap {
  const cleaned = clean(config, tensors);
  if (config.architecture === "llama") return cleaned;
  const converted = new Map<string, TensorEntry>();
  for (const [name, entry] of cleaned) {
    if (!config.bias && name.endsWith(".bias") && !isHeadName(name)) requireZero(name, entry);
    else if (FUSED.test(name) && isFused(config, entry)) split(config, name, entry, converted);
    else converted.set(name, CONV1D_WEIGHT.test(name) ? transpose(entry) : entry);
  }
  return converted;
}

const PROJECTION = /\.attn\.[qkv]_proj\.(weight|bias)$/;
const FUSED = /\.attn\.c_attn\.(weight|bias)$/;
const CONV1D_WEIGHT = /\.(attn\.c_proj|mlp\.c_fc|mlp\.c_proj)\.weight$/;
const BUFFER = /(\.attn\.(bias|masked_bias)|\.rotary_emb\.inv_freq)$/;

function clean(config: ModelConfig, tensors: TensorMap): Map<string, TensorEntry> {
  const { embedding } = parameterNames(config);
  const prefix = embedding.slice(0, embedding.indexOf(".") + 1);
  const bare = tensors.has(embedding.slice(prefix.length));
  const cleaned = new Map<string, TensorEntry>();
  for (const [name, entry] of tensors) {
    const repeatsEmbedding = config.tieEmbeddings && name === HEAD_NAMES.lm.weight;
    if (BUFFER.test(name) || repeatsEmbedding) continue;
    cleaned.set(bare && !isHeadName(name) ? prefix + name : name, entry);
  }
  return cleaned;
}

function isHeadName(name: string): boolean {
  return Object.values(HEAD_NAMES).some(({ weight, bias }) => name === weight || name === bias);
}

function fuse(tensors: TensorMap, layer: number, into: Map<string, TensorEntry>): void {
  const path = `transformer.h.${layer}.attn`;
  const parts = (kind: string) =>
    ["q", "k", "v"].map((part) => tensors.get(`${path}.${part}_proj.${kind}`));
  const [q, k, v] = parts("weight") as [TensorEntry, TensorEntry, TensorEntry];
  const width = q.shape[1]!;
  const stacked = concat([q, k, v]); // [3D, D]
  into.set(`${path}.c_attn.weight`, transpose(f32([3 * width, width], stacked)));
  const biases = parts("bias");
  if (biases[0]) {
    into.set(`${path}.c_attn.bias`, f32([3 * width], concat(biases as TensorEntry[])));
  }
}

function split(
  { hiddenSize }: ModelConfig,
  name: string,
  entry: TensorEntry,
  into: Map<string, TensorEntry>,
): void {
  const isWeight = name.endsWith(".weight");
  const { data } = isWeight ? transpose(entry) : entry;
  const shape = isWeight ? [hiddenSize, hiddenSize] : [hiddenSize];
  const size = (data.length / 3) | 0;
  ["q", "k", "v"].forEach((part, i) => {
    const values = (data as Float32Array).slice(i * size, (i + 1) * size);
    into.set(name.replace("c_attn", `${part}_proj`), f32(shape, values));
  });
}

function isFused({ hiddenSize: D }: ModelConfig, { shape, data }: TensorEntry): boolean {
  const fits = shape.join() === `${D},${3 * D}` || shape.join() === `${3 * D}`;
  return fits && data instanceof Float32Array;
}

function addZeroBiases(config: ModelConfig, tensors: Map<string, TensorEntry>): void {
  for (const [name, { shape }] of [...tensors]) {
    if (!name.startsWith("transformer.") || !/(ln_\w|c_\w+)\.weight$/.test(name)) continue;
    // Conv1D is [in, out] by now, a norm is [D].
    const size = shape.at(-1)!;
    tensors.set(name.replace(/weight$/, "bias"), f32([size], new Float32Array(size)));
  }
}

function requireZero(name: string, { data }: TensorEntry): void {
  if ((data as Float32Array).every((value) => value === 0)) return;
  throw new StagecraftError(
    "failed_precondition",
    `${name} is not zero, but config.json says that the model has no biases`,
  );
}

/** Rows and columns exchanged; anything that is not a float matrix is returned as it is. */
function transpose(entry: TensorEntry): TensorEntry {
  const { shape, data } = entry;
  if (shape.length !== 2 || !(data instanceof Float32Array)) return entry;
  const [rows, columns] = shape as [number, number];
  const turned = new Float32Array(data.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) turned[j * rows + i] = data[i * columns + j]!;
  }
  return f32([columns, rows], turned);
}

function concat(entries: readonly TensorEntry[]): Float32Array {
  const joined = new Float32Array(entries.reduce((sum, { data }) => sum + data.length, 0));
  let offset = 0;
  for (const { data } of entries) {
    joined.set(data as Float32Array, offset);
    offset += data.length;
  }
  return joined;
}
