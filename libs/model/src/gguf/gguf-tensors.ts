import { f32, type TensorEntry, type TensorMap } from "@stagecraft/checkpoint";
import type { ModelConfig } from "../config.js";
import { requireWithin } from "../model-dtype.js";
import type { GgufFamily } from "./gguf-families.js";
import type { GgufTensor, GgufType } from "./gguf-file.js";
import { ggufNamed } from "./gguf-names.js";
import { ropeTensors } from "./gguf-rope.js";
import { Q8_BLOCK, Q8_LIMIT } from "./q8.js";

interface GgufTensorOptions {
  config: ModelConfig;
  family: GgufFamily;
  dtype: GgufType;
}

/**
 * The weights of a model in our layout, in llama.cpp's names and order. Throws `failed_precondition` for
 * values that the type cannot hold.
 */
export function ggufTensors(
  weights: TensorMap,
  { config, family, dtype }: GgufTensorOptions,
): Map<string, GgufTensor> {
  const tensors = new Map<string, GgufTensor>();
  for (const [name, entry] of ggufNamed(config, weights, family)) {
    const { shape, data } = arrange(name, entry, { config, family });
    const type = typeFor(name, shape, dtype);
    if (type === "f16") requireWithin("f16", { name, shape, data });
    if (type === "q8_0") requireWithin("q8_0", { name, shape, data, limit: Q8_LIMIT });
    tensors.set(name, { shape, data: data as Float32Array, type });
  }
  for (const [name, data] of ropeTensors(config)) {
    tensors.set(name, { shape: [data.length], data, type: "f32" });
  }
  return tensors;
}

/** Vectors and positions stay float32; rows that are no whole blocks have float16 in the place of q8_0. */
function typeFor(name: string, shape: readonly number[], dtype: GgufType): GgufType {
  if (shape.length === 1 || name === "position_embd.weight") return "f32";
  if (dtype === "q8_0" && shape.at(-1)! % Q8_BLOCK !== 0) return "f16";
  return dtype;
}

function arrange(
  name: string,
  entry: TensorEntry,
  { config, family }: Pick<GgufTensorOptions, "config" | "family">,
): TensorEntry {
  const heads = /\.attn_q\./.test(name) ? config.numHeads : config.numKvHeads;
  const turns = family.interleaves && /\.attn_[qk]\.(weight|bias)$/.test(name);
  return turns ? interleave(entry, heads) : entry;
}

/** transformers keeps the rotary pairs of a head as two halves, llama.cpp side by side. */
function interleave({ shape, data }: TensorEntry, heads: number): TensorEntry {
  const [rows, width = 1] = shape as [number, number?];
  const half = rows / heads / 2;
  const turned = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    const [head, within] = [Math.floor(row / (2 * half)), row % (2 * half)];
    const to = head * 2 * half + (within % half) * 2 + Math.floor(within / half);
    turned.set((data as Float32Array).subarray(row * width, (row + 1) * width), to * width);
  }
  return f32(shape, turned);
}
