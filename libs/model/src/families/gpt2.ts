/**
 * GPT-2 (Radford et al. 2019): LayerNorm, learned positions, GELU of width 4 · hidden, tied. With biases
 * every module has one. transformers keeps its linear maps as Conv1D, [in, out], and q, k and v as one
 * c_attn; there every bias exists, so that a model without biases gets zero ones.
 */
import { f32, type TensorEntry, type TensorMap } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import type { ModelConfig } from "../config.js";
import { only } from "../hf-reader.js";
import { isHeadName, moduleAt } from "../names.js";
import { createScratch, type Scratch } from "./convert.js";
import { activationNames, hfActivation, readActivation } from "./activations.js";
import type { Family } from "./family.js";

export const gpt2: Family = {
  classes: { lm: "GPT2LMHeadModel", score: "GPT2ForSequenceClassification" },
  names: {
    embedding: "transformer.wte.weight",
    positions: "transformer.wpe.weight",
    finalNorm: moduleAt("transformer.ln_f"),
    block(layer) {
      const path = `transformer.h.${layer}`;
      return {
        attentionNorm: moduleAt(`${path}.ln_1`),
        q: moduleAt(`${path}.attn.q_proj`),
        k: moduleAt(`${path}.attn.k_proj`),
        v: moduleAt(`${path}.attn.v_proj`),
        o: moduleAt(`${path}.attn.c_proj`),
        mlpNorm: moduleAt(`${path}.ln_2`),
        up: moduleAt(`${path}.mlp.c_fc`),
        down: moduleAt(`${path}.mlp.c_proj`),
      };
    },
  },
  block: { norm: "layer", activation: "gelu", rotary: false },
  hasBias: (_module, bias) => bias === true,
  preset: ({ hiddenSize }) => ({
    intermediateSize: 4 * hiddenSize,
    tieEmbeddings: true,
    bias: true,
  }),
  problems({ hiddenSize, numHeads, numKvHeads, headSize }) {
    const problems: string[] = [];
    if (headSize * numHeads !== hiddenSize) {
      problems.push(`gpt2 divides hiddenSize ${hiddenSize} into its ${numHeads} heads`);
    }
    if (numKvHeads !== numHeads) {
      problems.push(
        `gpt2 has no grouped queries: numKvHeads must be ${numHeads}, got ${numKvHeads}`,
      );
    }
    return problems;
  },
  toHf: (config) => ({
    n_embd: config.hiddenSize,
    n_inner: config.intermediateSize,
    n_layer: config.numLayers,
    n_head: config.numHeads,
    n_positions: config.maxPositions,
    n_ctx: config.maxPositions,
    activation_function: hfActivation(config.activation ?? "gelu"),
    layer_norm_epsilon: config.normEps,
    attn_pdrop: 0,
    embd_pdrop: 0,
    resid_pdrop: 0,
  }),
  fromHf({ fields, note, number }) {
    const [hiddenSize, numHeads] = [number("n_embd"), number("n_head")];
    return {
      hiddenSize,
      numHeads,
      numLayers: number("n_layer"),
      numKvHeads: numHeads,
      headSize: hiddenSize / numHeads,
      intermediateSize: number("n_inner", 4 * hiddenSize),
      maxPositions: number("n_positions", 1024),
      ropeTheta: 10_000,
      normEps: number("layer_norm_epsilon", 1e-5),
      tieEmbeddings: fields["tie_word_embeddings"] !== false,
      bias: note["bias"] !== false,
      ...readActivation(fields, "activation_function", "gelu"),
    };
  },
  unsupported: (hf) => [
    ...only(hf, "activation_function", activationNames()),
    ...only(hf, "scale_attn_weights", [true]),
    ...only(hf, "scale_attn_by_inverse_layer_idx", [false]),
    ...only(hf, "add_cross_attention", [false]),
  ],
  convert: { toHf: toConv1d, fromHf: fromConv1d },
};

const PROJECTION = /\.attn\.[qkv]_proj\.(weight|bias)$/;
const FUSED = /\.attn\.c_attn\.(weight|bias)$/;
const CONV1D_WEIGHT = /\.(attn\.c_proj|mlp\.c_fc|mlp\.c_proj)\.weight$/;

function toConv1d(config: ModelConfig, tensors: TensorMap): TensorMap {
  const converted = new Map<string, TensorEntry>();
  for (const [name, entry] of tensors) {
    if (PROJECTION.test(name)) continue;
    converted.set(name, CONV1D_WEIGHT.test(name) ? transpose(entry) : entry);
  }
  for (let layer = 0; layer < config.numLayers; layer++) fuse(tensors, layer, converted);
  if (!config.bias) addZeroBiases(converted);
  return converted;
}

function fromConv1d(config: ModelConfig, tensors: TensorMap): TensorMap {
  const converted = new Map<string, TensorEntry>();
  const copy = createScratch();
  for (const [name, entry] of tensors) {
    if (!config.bias && name.endsWith(".bias") && !isHeadName(name)) requireZero(name, entry);
    else if (FUSED.test(name) && isFused(config, entry)) {
      split(config, name, transposeInPlace(entry, copy), converted);
    } else {
      converted.set(name, CONV1D_WEIGHT.test(name) ? transposeInPlace(entry, copy) : entry);
    }
  }
  return converted;
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
  { data }: TensorEntry,
  into: Map<string, TensorEntry>,
): void {
  const shape = name.endsWith(".weight") ? [hiddenSize, hiddenSize] : [hiddenSize];
  const size = (data.length / 3) | 0;
  ["q", "k", "v"].forEach((part, i) => {
    const values = (data as Float32Array).subarray(i * size, (i + 1) * size);
    into.set(name.replace("c_attn", `${part}_proj`), f32(shape, values));
  });
}

function isFused({ hiddenSize: D }: ModelConfig, { shape, data }: TensorEntry): boolean {
  const fits = shape.join() === `${D},${3 * D}` || shape.join() === `${3 * D}`;
  return fits && data instanceof Float32Array;
}

function addZeroBiases(tensors: Map<string, TensorEntry>): void {
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
  return turn(data, { shape, into: new Float32Array(data.length) });
}

function transposeInPlace(entry: TensorEntry, copy: Scratch): TensorEntry {
  const { shape, data } = entry;
  if (shape.length !== 2 || !(data instanceof Float32Array)) return entry;
  return turn(copy(data), { shape, into: data });
}

function turn(
  values: Float32Array,
  { shape, into }: { shape: readonly number[]; into: Float32Array },
): TensorEntry {
  const [rows, columns] = shape as [number, number];
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) into[j * rows + i] = values[i * columns + j]!;
  }
  return f32([columns, rows], into);
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
