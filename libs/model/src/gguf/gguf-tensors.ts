import { f32, type TensorEntry, type TensorMap } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import type { ModelConfig } from "../config.js";
import { ropeOf } from "../rope.js";
import { plainRope } from "@stagecraft/tensor";
import type { GgufFamily } from "./gguf-families.js";
import type { GgufTensor, GgufType } from "./gguf-file.js";
import { Q8_BLOCK } from "./q8.js";

/** The weights of a model, stored as transformers has them, in llama.cpp's names and order. */
export function ggufTensors(
  weights: TensorMap,
  { config, family, dtype }: { config: ModelConfig; family: GgufFamily; dtype: GgufType },
): Map<string, GgufTensor> {
  const tensors = new Map<string, GgufTensor>();
  for (const [name, entry] of weights) {
    const renamed = family.rename(name);
    if (renamed === undefined) {
      throw new StagecraftError("unimplemented", `llama.cpp has no place for the weights ${name}`);
    }
    const { shape, data } = arrange(renamed, entry, { config, family });
    tensors.set(renamed, {
      shape,
      data: data as Float32Array,
      type: typeFor(renamed, shape, dtype),
    });
  }
  const factors = ropeFactors(config);
  if (factors)
    tensors.set("rope_freqs.weight", { shape: [factors.length], data: factors, type: "f32" });
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
  { config, family }: { config: ModelConfig; family: GgufFamily },
): TensorEntry {
  const data = entry.data as Float32Array;
  if (family.shiftsNorms && name.endsWith("norm.weight")) {
    return f32(
      entry.shape,
      data.map((value) => value + 1),
    );
  }
  if (family.transposes?.test(name)) return transpose(entry);
  const heads = /\.attn_q\./.test(name) ? config.numHeads : config.numKvHeads;
  if (family.interleaves && /\.attn_[qk]\.(weight|bias)$/.test(name)) {
    return interleave(entry, heads);
  }
  return entry;
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

function transpose({ shape, data }: TensorEntry): TensorEntry {
  const [rows, columns] = shape as [number, number];
  const turned = new Float32Array(data.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) turned[j * rows + i] = data[i * columns + j] as number;
  }
  return f32([columns, rows], turned);
}

/** Llama 3's scaling, as divisors of the plain frequencies. */
function ropeFactors(config: ModelConfig): Float32Array | undefined {
  if (config.ropeScaling?.rope_type !== "llama3") return undefined;
  const { frequencies } = ropeOf(config);
  const plain = plainRope(config.ropeTheta, frequencies.length).frequencies;
  return Float32Array.from(frequencies, (frequency, i) => plain[i]! / frequency);
}
