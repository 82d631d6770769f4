import { StagecraftError, type JsonObject, type JsonValue } from "@stagecraft/core";
import { validateModelConfig, type Architecture, type ModelConfig } from "./config.js";
import type { Head } from "./parameters.js";

export interface HfConfigOptions {
  /** Default: lm alone. */
  heads?: readonly Head[];
  /** Facts to keep with the model (score mean and std, training step, …), under `stagecraft`. */
  extra?: JsonObject;
  /** Ids of bos, eos and pad; null where the tokenizer has none. */
  specials?: SpecialIds;
}

export interface SpecialIds {
  readonly bos: number | null;
  /** One, or all that end an answer. */
  readonly eos: number | number[] | null;
  readonly pad: number | null;
}

/** The config.json of transformers' LlamaConfig or GPT2Config, with our notes under `stagecraft`. */
export function toHfConfig(
  config: ModelConfig,
  { heads = ["lm"], extra = {}, specials = NO_SPECIALS }: HfConfigOptions = {},
): JsonObject {
  const family = config.architecture === "llama" ? "Llama" : "GPT2";
  const hfModel = heads.includes("lm")
    ? family === "GPT2"
      ? "GPT2LMHeadModel"
      : "LlamaForCausalLM"
    : `${family}ForSequenceClassification`;
  return {
    architectures: [hfModel],
    model_type: config.architecture,
    ...(config.architecture === "llama" ? llamaFields(config) : gpt2Fields(config)),
    vocab_size: config.vocabSize,
    tie_word_embeddings: config.tieEmbeddings,
    ...(heads.includes("lm") ? {} : { id2label: { "0": "SCORE" }, label2id: { SCORE: 0 } }),
    initializer_range: 0.02,
    use_cache: true,
    dtype: "float32",
    torch_dtype: "float32",
    bos_token_id: specials.bos,
    eos_token_id: specials.eos,
    pad_token_id: specials.pad,
    stagecraft: { ...extra, heads: [...heads], bias: config.bias },
  };
}

/**
 * The model that a config.json of transformers describes. Throws `invalid_argument` for missing
 * fields and `unimplemented` for anything that would compute something else than we do (another
 * model type, activation or rope scaling), each named. `source` is the file, for messages.
 */
export function fromHfConfig(hf: JsonObject, source = "config.json"): ModelConfig {
  const architecture = hf["model_type"];
  if (architecture !== "llama" && architecture !== "gpt2") {
    throw new StagecraftError(
      "unimplemented",
      `${source}: model_type ${JSON.stringify(architecture) ?? "is missing"}; llama and gpt2 can be loaded`,
    );
  }
  refuseUnsupported(hf, architecture, source);
  const reader = readerOf(hf, source);
  return validateModelConfig(
    architecture === "llama" ? fromLlama(hf, reader) : fromGpt2(hf, reader),
  );
}

/** The heads that a config.json promises: our own note, else what the class name implies. */
export function headsOfHfConfig(hf: JsonObject): Head[] {
  const noted = noteOf(hf)["heads"];
  if (Array.isArray(noted)) return noted as Head[];
  const names = Array.isArray(hf["architectures"]) ? hf["architectures"] : [];
  return names.some((name) => String(name).endsWith("ForSequenceClassification"))
    ? ["score"]
    : ["lm"];
}

/** What `extra` held when the model was saved; empty for foreign models. */
export function extraOfHfConfig(hf: JsonObject): JsonObject {
  const { heads: _heads, bias: _bias, ...extra } = noteOf(hf);
  return extra;
}

const NO_SPECIALS: SpecialIds = { bos: null, eos: null, pad: null };

function llamaFields(config: ModelConfig): JsonObject {
  return {
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.numLayers,
    num_attention_heads: config.numHeads,
    num_key_value_heads: config.numKvHeads,
    head_dim: config.hiddenSize / config.numHeads,
    max_position_embeddings: config.maxPositions,
    hidden_act: "silu",
    rms_norm_eps: config.normEps,
    rope_theta: config.ropeTheta, // transformers 4
    rope_parameters: { rope_type: "default", rope_theta: config.ropeTheta }, // transformers 5
    attention_bias: config.bias,
    mlp_bias: config.bias,
    attention_dropout: 0,
  };
}

function gpt2Fields(config: ModelConfig): JsonObject {
  return {
    n_embd: config.hiddenSize,
    n_inner: config.intermediateSize,
    n_layer: config.numLayers,
    n_head: config.numHeads,
    n_positions: config.maxPositions,
    n_ctx: config.maxPositions,
    activation_function: "gelu_new",
    layer_norm_epsilon: config.normEps,
    attn_pdrop: 0,
    embd_pdrop: 0,
    resid_pdrop: 0,
  };
}

interface Reader {
  /** The field as a number; throws when it is missing and has no fallback. */
  number(field: string, fallback?: number): number;
}

function readerOf(hf: JsonObject, source: string): Reader {
  return {
    number(field, fallback) {
      const value = hf[field] ?? fallback;
      if (typeof value === "number") return value;
      throw new StagecraftError(
        "invalid_argument",
        `${source}: ${field} must be a number, got ${JSON.stringify(value) ?? "nothing"}`,
      );
    },
  };
}

function fromLlama(hf: JsonObject, { number }: Reader): ModelConfig {
  const numHeads = number("num_attention_heads");
  const rope = hf["rope_parameters"];
  const theta = isObject(rope) ? rope["rope_theta"] : hf["rope_theta"];
  return {
    architecture: "llama",
    vocabSize: number("vocab_size"),
    hiddenSize: number("hidden_size"),
    numLayers: number("num_hidden_layers"),
    numHeads,
    numKvHeads: number("num_key_value_heads", numHeads),
    intermediateSize: number("intermediate_size"),
    maxPositions: number("max_position_embeddings", 2048),
    ropeTheta: typeof theta === "number" ? theta : 10_000,
    normEps: number("rms_norm_eps", 1e-6),
    tieEmbeddings: hf["tie_word_embeddings"] === true,
    bias: hf["attention_bias"] === true,
  };
}

function fromGpt2(hf: JsonObject, { number }: Reader): ModelConfig {
  const hiddenSize = number("n_embd");
  const numHeads = number("n_head");
  return {
    architecture: "gpt2",
    vocabSize: number("vocab_size"),
    hiddenSize,
    numLayers: number("n_layer"),
    numHeads,
    numKvHeads: numHeads,
    intermediateSize: number("n_inner", 4 * hiddenSize),
    maxPositions: number("n_positions", 1024),
    ropeTheta: 10_000,
    normEps: number("layer_norm_epsilon", 1e-5),
    tieEmbeddings: hf["tie_word_embeddings"] !== false,
    bias: noteOf(hf)["bias"] !== false,
  };
}

function refuseUnsupported(hf: JsonObject, architecture: Architecture, source: string): void {
  const problems = architecture === "llama" ? llamaProblems(hf) : gpt2Problems(hf);
  if (hf["quantization_config"] != null) problems.push("quantization_config: quantized weights");
  if (problems.length === 0) return;
  throw new StagecraftError("unimplemented", `${source}: not supported: ${problems.join("; ")}`, {
    details: { file: source, problems },
  });
}

function llamaProblems(hf: JsonObject): string[] {
  const problems = only(hf, "hidden_act", ["silu", "swish"]);
  for (const field of ["rope_scaling", "rope_parameters"]) {
    const rope = hf[field];
    const type = isObject(rope) ? (rope["rope_type"] ?? rope["type"] ?? "default") : "default";
    if (type !== "default") problems.push(`${field} of type ${JSON.stringify(type)}`);
  }
  const headSize = Number(hf["hidden_size"]) / Number(hf["num_attention_heads"]);
  if (hf["head_dim"] != null && hf["head_dim"] !== headSize) {
    problems.push(`head_dim ${JSON.stringify(hf["head_dim"])} (must be ${headSize})`);
  }
  if ((hf["attention_bias"] === true) !== (hf["mlp_bias"] === true)) {
    problems.push("attention_bias and mlp_bias that differ");
  }
  return problems;
}

function gpt2Problems(hf: JsonObject): string[] {
  return [
    ...only(hf, "activation_function", ["gelu_new", "gelu_pytorch_tanh"]),
    ...only(hf, "scale_attn_weights", [true]),
    ...only(hf, "scale_attn_by_inverse_layer_idx", [false]),
    ...only(hf, "add_cross_attention", [false]),
  ];
}

function only(hf: JsonObject, field: string, allowed: readonly JsonValue[]): string[] {
  const value = hf[field];
  if (value == null || allowed.includes(value)) return [];
  return [`${field} ${JSON.stringify(value)} (must be ${allowed.join(" or ")})`];
}

function noteOf(hf: JsonObject): JsonObject {
  return isObject(hf["stagecraft"]) ? hf["stagecraft"] : {};
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
