/**
 * Gemma 2 (Gemma team 2024): norms of 1 + w before and after blocks, GeGLU, capped scores and logits,
 * embeddings times √hidden, and a window in every other layer.
 */
import type { JsonObject } from "@stagecraft/core";
import type { ModelConfig } from "../config.js";
import { only, type HfReader } from "../hf-reader.js";
import { moduleAt } from "../names.js";
import { shiftedNorms } from "./convert.js";
import type { Family } from "./family.js";
import { llama } from "./llama.js";
import {
  attentionBiasField,
  attentionBiasProblems,
  layerTypesOf,
  readAttentionBias,
  readShared,
  ropeTypeProblems,
  sharedFields,
  windowLayersOf,
} from "./shared.js";

export const gemma2: Family = {
  ...llama,
  classes: { lm: "Gemma2ForCausalLM", score: "Gemma2ForSequenceClassification" },
  names: {
    ...llama.names,
    block(layer) {
      const path = `model.layers.${layer}`;
      return {
        ...llama.names.block(layer),
        attentionPostNorm: moduleAt(`${path}.post_attention_layernorm`),
        mlpNorm: moduleAt(`${path}.pre_feedforward_layernorm`),
        mlpPostNorm: moduleAt(`${path}.post_feedforward_layernorm`),
      };
    },
  },
  block: { ...llama.block, activation: "geglu" },
  preset: (sizes) => ({
    ...llama.preset(sizes),
    ...{ tieEmbeddings: true, normEps: 1e-6, embeddingScale: Math.sqrt(sizes.hiddenSize) },
  }),
  problems: (config) => [
    ...llama.problems(config),
    ...attentionBiasProblems(config),
    ...gemmaProblems(config),
  ],
  toHf: (config) => ({
    ...gemmaFields(config),
    final_logit_softcapping: config.logitSoftcap ?? null,
    attn_logit_softcapping: config.attentionSoftcap ?? null,
  }),
  fromHf(reader) {
    const shared = readShared(reader, { maxPositions: 8192, tieEmbeddings: true, headSize: 256 });
    return {
      ...shared,
      ...readGemma(reader, { hiddenSize: shared.hiddenSize, isLocal: (layer) => layer % 2 === 0 }),
      ...readCap(reader, "logitSoftcap", "final_logit_softcapping", 30),
      ...readCap(reader, "attentionSoftcap", "attn_logit_softcapping", 50),
    };
  },
  unsupported: (hf) => [...gemmaUnsupported(hf), ...ropeTypeProblems(hf)],
  convert: shiftedNorms((name) => name.endsWith("norm.weight")),
};

/** What both Gemmas say. */
export function gemmaFields(config: ModelConfig): JsonObject {
  const { hidden_act: _, ...shared } = sharedFields(config);
  return {
    ...shared,
    head_dim: config.headSize,
    hidden_activation: "gelu_pytorch_tanh",
    ...attentionBiasField(config),
    query_pre_attn_scalar: scalarOf(config),
    sliding_window: config.slidingWindow ?? 4096,
    layer_types: layerTypesOf(config),
  };
}

/** 1/scale², a whole number for transformers where it is one but for rounding. */
function scalarOf({ attentionScale, headSize }: ModelConfig): number {
  const scalar = (attentionScale ?? headSize ** -0.5) ** -2;
  const whole = Math.round(scalar);
  return Math.abs(scalar - whole) < 1e-9 * whole ? whole : scalar;
}

export function readGemma(
  reader: HfReader,
  { hiddenSize, isLocal }: { hiddenSize: number; isLocal: (layer: number) => boolean },
): Pick<
  ModelConfig,
  "bias" | "attentionScale" | "embeddingScale" | "slidingWindow" | "windowLayers"
> {
  return {
    bias: readAttentionBias(reader),
    attentionScale: reader.number("query_pre_attn_scalar", 256) ** -0.5,
    embeddingScale: Math.sqrt(hiddenSize),
    slidingWindow: reader.number("sliding_window", 4096),
    windowLayers: windowLayersOf(reader, isLocal),
  };
}

/** A cap that is null is none; absent is the class's default. */
export function readCap<K extends "logitSoftcap" | "attentionSoftcap">(
  { fields, number }: HfReader,
  name: K,
  field: string,
  fallback?: number,
): Partial<Pick<ModelConfig, K>> {
  if (fields[field] === null || (fields[field] === undefined && fallback === undefined)) return {};
  return { [name]: number(field, fallback) } as Partial<Pick<ModelConfig, K>>;
}

function gemmaProblems({ architecture, embeddingScale, hiddenSize }: ModelConfig): string[] {
  if (embeddingScale === Math.sqrt(hiddenSize)) return [];
  return [
    `${architecture} multiplies embeddings by √hiddenSize, got embeddingScale ${embeddingScale}`,
  ];
}

export const gemmaUnsupported = (hf: JsonObject): string[] => [
  ...only(hf, "hidden_activation", ["gelu_pytorch_tanh"]),
  ...only(hf, "use_bidirectional_attention", [false]),
];
