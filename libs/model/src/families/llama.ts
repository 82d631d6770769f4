/**
 * Llama (Touvron et al. 2023): RMSNorm, rotary positions, SwiGLU of width 8/3 · hidden rounded up to 32,
 * untied. With biases all linear maps have one, or those of attention, or of the MLP.
 */
import type { JsonObject } from "@stagecraft/core";
import { isObject, only } from "../hf-reader.js";
import { moduleAt } from "../names.js";
import type { Family, ModuleKind } from "./family.js";
import {
  rotaryProblems,
  biasFields,
  layerTypeProblems,
  readBias,
  readShared,
  sharedFields,
  sharedProblems,
} from "./shared.js";

const ATTENTION = new Set<ModuleKind>(["q", "k", "v", "o"]);
const MLP = new Set<ModuleKind>(["gate", "up", "down"]);

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
  hasBias: (module, bias) =>
    (bias === true || bias === "attention" ? ATTENTION.has(module) : false) ||
    (bias === true || bias === "mlp" ? MLP.has(module) : false),
  preset: ({ hiddenSize }) => ({
    intermediateSize: Math.ceil((hiddenSize * 8) / 3 / 32) * 32,
    tieEmbeddings: false,
    bias: false,
  }),
  problems: rotaryProblems,
  toHf: (config) => ({
    ...sharedFields(config),
    head_dim: config.headSize,
    ...biasFields(config),
  }),
  fromHf: (reader) => ({
    ...readShared(reader, { maxPositions: 2048 }),
    bias: readBias(reader),
  }),
  unsupported: (hf) => [...sharedProblems(hf), ...layerTypeProblems(hf), ...partialProblems(hf)],
};

/** Llama's own class rotates all dimensions, whatever this field says. */
const partialProblems = (hf: JsonObject) => [
  ...only(hf, "partial_rotary_factor", [1]),
  ...["rope_parameters", "rope_scaling"].flatMap((home) => {
    const rope = hf[home];
    return isObject(rope) ? only(rope, "partial_rotary_factor", [1]) : [];
  }),
];
