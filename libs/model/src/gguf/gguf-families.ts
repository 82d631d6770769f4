/** What llama.cpp computes of our families: its names, its metadata, and what it cannot be told. */
import type { ModelConfig } from "../config.js";
import type { GgufValue } from "./gguf-file.js";

export interface GgufFamily {
  /** llama.cpp's name of the architecture. */
  readonly architecture: string;
  /** A name of transformers in llama.cpp's words; undefined for one that it has no place for. */
  rename(name: string): string | undefined;
  /** Queries and keys have their rotary pairs side by side. */
  readonly interleaves?: boolean;
  /** Norms are 1 + w in transformers, w in the file. */
  readonly shiftsNorms?: boolean;
  /** Names of maps that transformers keeps as [in, out]. */
  readonly transposes?: RegExp;
  /** Metadata beyond what all have, without the prefix. */
  readonly metadata?: (config: ModelConfig) => Readonly<Record<string, GgufValue>>;
  /** What llama.cpp would compute otherwise. */
  readonly problems?: (config: ModelConfig) => string[];
}

const BLOCK: Readonly<Record<string, string>> = {
  input_layernorm: "attn_norm",
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.o_proj": "attn_output",
  "self_attn.q_norm": "attn_q_norm",
  "self_attn.k_norm": "attn_k_norm",
  post_attention_layernorm: "ffn_norm",
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
};

/** Norms before and after each part (Gemma), or after alone (OLMo 2). */
const WITH_POST_NORMS = {
  ...BLOCK,
  post_attention_layernorm: "post_attention_norm",
  pre_feedforward_layernorm: "ffn_norm",
  post_feedforward_layernorm: "post_ffw_norm",
};

const WHOLE: Readonly<Record<string, string>> = {
  "model.embed_tokens": "token_embd",
  "model.norm": "output_norm",
  lm_head: "output",
  "transformer.wte": "token_embd",
  "transformer.wpe": "position_embd",
  "transformer.ln_f": "output_norm",
};

const GPT2_BLOCK: Readonly<Record<string, string>> = {
  ...{ ln_1: "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output" },
  ...{ ln_2: "ffn_norm", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down" },
};

const renaming = (block: Readonly<Record<string, string>>) => (name: string) => {
  const [, path = "", kind = ""] = /^(.*)\.(weight|bias)$/.exec(name) ?? [];
  const [, layer, part = ""] = /^(?:model\.layers|transformer\.h)\.(\d+)\.(.+)$/.exec(path) ?? [];
  const known = layer === undefined ? WHOLE[path] : block[part] && `blk.${layer}.${block[part]}`;
  return known && `${known}.${kind}`;
};

const llama: GgufFamily = {
  architecture: "llama",
  rename: renaming(BLOCK),
  interleaves: true,
};

const isEveryFourth = ({ ropeLayers, numLayers }: ModelConfig) =>
  Array.from({ length: numLayers }, (_, i) => (i + 1) % 4 !== 0).every(
    (turns, i) => (ropeLayers?.[i] ?? true) === turns,
  );

const ownScale = ({ attentionScale, headSize }: ModelConfig) =>
  attentionScale === undefined || Math.abs(attentionScale * Math.sqrt(headSize) - 1) < 1e-6
    ? []
    : ["attention scores with another factor than 1/√headSize (query_pre_attn_scalar)"];

/** A window in all layers but every `step`th. */
const windowPattern = (step: number, { windowLayers, numLayers }: ModelConfig) =>
  Array.from({ length: numLayers }, (_, i) => (i + 1) % step !== 0).every(
    (isLocal, i) => (windowLayers?.[i] ?? true) === isLocal,
  )
    ? []
    : [`windows in other layers than all but every ${step}th`];

/** By our names; a family that is not here cannot be exported. */
export const GGUF_FAMILIES: Readonly<Record<string, GgufFamily>> = {
  llama,
  mistral: {
    ...llama,
    problems: ({ slidingWindow = Infinity, maxPositions }) =>
      slidingWindow >= maxPositions ? [] : ["a sliding window (llama.cpp's llama has none)"],
  },
  smollm3: {
    ...llama,
    architecture: "smollm3",
    problems: (config) =>
      isEveryFourth(config) ? [] : ["layers without rotary positions other than every fourth"],
  },
  granite: {
    ...llama,
    architecture: "granite",
    metadata: ({ attentionScale, headSize, embeddingScale, residualScale, logitDivisor }) => ({
      "attention.scale": { f32: attentionScale ?? headSize ** -0.5 },
      embedding_scale: { f32: embeddingScale ?? 1 },
      residual_scale: { f32: residualScale ?? 1 },
      logit_scale: { f32: logitDivisor ?? 1 },
    }),
  },
  qwen2: { architecture: "qwen2", rename: renaming(BLOCK) },
  qwen3: {
    architecture: "qwen3",
    rename: renaming(BLOCK),
    problems: ({ bias }) => (bias === false ? [] : ["biases of attention in qwen3"]),
  },
  olmo2: {
    architecture: "olmo2",
    rename: renaming(WITH_POST_NORMS),
    problems: ({ bias }) => (bias === false ? [] : ["biases of attention in olmo2"]),
  },
  gemma2: {
    architecture: "gemma2",
    rename: renaming(WITH_POST_NORMS),
    shiftsNorms: true,
    metadata: ({ attentionSoftcap, logitSoftcap, slidingWindow }) => ({
      attn_logit_softcapping: { f32: attentionSoftcap ?? 0 },
      final_logit_softcapping: { f32: logitSoftcap ?? 0 },
      "attention.sliding_window": { u32: slidingWindow ?? 4096 },
    }),
    problems: (config) => [
      ...ownScale(config),
      ...windowPattern(2, config),
      ...(config.attentionSoftcap && config.logitSoftcap ? [] : ["gemma2 without its two caps"]),
    ],
  },
  gpt2: {
    architecture: "gpt2",
    rename: renaming(GPT2_BLOCK),
    transposes: /\.(attn_qkv|attn_output|ffn_up|ffn_down)\.weight$/,
    problems: ({ activation = "gelu" }) =>
      activation === "gelu" ? [] : [`the activation ${activation} in gpt2`],
  },
};
