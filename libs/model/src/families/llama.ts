/**
 * Llama (Touvron et al. 2023): RMSNorm, rotary positions, SwiGLU of width 8/3 · hidden rounded up to 32,
 * untied. With biases all linear maps have one.
 */
import type { JsonObject } from "@stagecraft/core";
import type { ModelConfig } from "../config.js";
import { isObject, only, type HfReader } from "../hf-reader.js";
import { moduleAt } from "../names.js";
import type { Family } from "./family.js";

const NORMS = new Set(["attentionNorm", "mlpNorm", "finalNorm"]);

export const llama: Family = {
  classes: { lm: "LlamaForCausalLM", score: "LlamaForSequenceClassification" },
  names: {
    embedding: "model.embed_tokens.weight",
    finalNorm: moduleAt("model.norm"),
    block(layer) {
      const path = `model.layers.${layer}`;
      return {
        attentionNorm: moduleAt(`${path}.input_layernorm`),
        q: moduleAt(`${path}.self_attn.q_proj`),
        k: moduleAt(`${path}.self_attn.k_proj`),
        v: moduleAt(`${path}.self_attn.v_proj`),
        o: moduleAt(`${path}.self_attn.o_proj`),
        mlpNorm: moduleAt(`${path}.post_attention_layernorm`),
        gate: moduleAt(`${path}.mlp.gate_proj`),
        up: moduleAt(`${path}.mlp.up_proj`),
        down: moduleAt(`${path}.mlp.down_proj`),
      };
    },
  },
  block: { norm: "rms", activation: "swiglu", rotary: true },
  hasBias: (module) => !NORMS.has(module),
  preset: ({ hiddenSize }) => ({
    intermediateSize: Math.ceil((hiddenSize * 8) / 3 / 32) * 32,
    tieEmbeddings: false,
    bias: false,
  }),
  problems: ({ headSize }) =>
    headSize % 2 === 0 ? [] : [`rotary positions need an even headSize, got ${headSize}`],
  toHf: (config) => ({
    ...sharedFields(config),
    head_dim: config.headSize,
    attention_bias: config.bias,
    mlp_bias: config.bias,
  }),
  fromHf: (reader) => ({
    ...readShared(reader, { maxPositions: 2048 }),
    bias: reader.fields["attention_bias"] === true,
  }),
  unsupported: (hf) => [
    ...sharedProblems(hf),
    ...((hf["attention_bias"] === true) !== (hf["mlp_bias"] === true)
      ? ["attention_bias and mlp_bias that differ"]
      : []),
  ],
};

/** The fields of config.json that families of Llama's make have in common. */
export function sharedFields(config: ModelConfig): JsonObject {
  return {
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.numLayers,
    num_attention_heads: config.numHeads,
    num_key_value_heads: config.numKvHeads,
    max_position_embeddings: config.maxPositions,
    hidden_act: "silu",
    rms_norm_eps: config.normEps,
    rope_theta: config.ropeTheta, // transformers 4
    rope_parameters: { rope_type: "default", rope_theta: config.ropeTheta }, // transformers 5
    attention_dropout: 0,
  };
}

export function readShared(
  { fields, number }: HfReader,
  { maxPositions }: { maxPositions: number },
): Omit<ReturnType<Family["fromHf"]>, "bias"> {
  const [hiddenSize, numHeads] = [number("hidden_size"), number("num_attention_heads")];
  return {
    hiddenSize,
    numHeads,
    numLayers: number("num_hidden_layers"),
    numKvHeads: number("num_key_value_heads", numHeads),
    headSize: number("head_dim", hiddenSize / numHeads),
    intermediateSize: number("intermediate_size"),
    maxPositions: number("max_position_embeddings", maxPositions),
    ropeTheta: number(ropeThetaField(fields), 10_000),
    normEps: number("rms_norm_eps", 1e-6),
    tieEmbeddings: fields["tie_word_embeddings"] === true,
  };
}

/** Where the base of the rotary angles stands: transformers 5 moved it, files have one or both. */
function ropeThetaField(hf: JsonObject): string {
  const within = ["rope_parameters", "rope_scaling"].find((field) => {
    const rope = hf[field];
    return isObject(rope) && rope["rope_theta"] != null;
  });
  return within === undefined ? "rope_theta" : `${within}.rope_theta`;
}

export function sharedProblems(hf: JsonObject): string[] {
  const problems = only(hf, "hidden_act", ["silu", "swish"]);
  for (const field of ["rope_scaling", "rope_parameters"]) {
    const rope = hf[field];
    const type = isObject(rope) ? (rope["rope_type"] ?? rope["type"] ?? "default") : "default";
    if (type !== "default") problems.push(`${field} of type ${JSON.stringify(type)}`);
    if (isObject(rope)) problems.push(...only(rope, "partial_rotary_factor", [1]));
  }
  problems.push(...only(hf, "partial_rotary_factor", [1]));
  return problems;
}
