/** Qwen3 (Yang et al. 2025): Llama with norms of each query and key head; biases of attention by option. */
import { only } from "../hf-reader.js";
import { moduleAt } from "../names.js";
import type { Family } from "./family.js";
import { llama } from "./llama.js";
import {
  biasFields,
  layerTypeProblems,
  readShared,
  sharedFields,
  sharedProblems,
} from "./shared.js";

export const qwen3: Family = {
  ...llama,
  classes: { lm: "Qwen3ForCausalLM", score: "Qwen3ForSequenceClassification" },
  names: {
    ...llama.names,
    block: (layer) => ({
      ...llama.names.block(layer),
      qNorm: moduleAt(`model.layers.${layer}.self_attn.q_norm`),
      kNorm: moduleAt(`model.layers.${layer}.self_attn.k_norm`),
    }),
  },
  block: { ...llama.block, headNorms: "each" },
  preset: (sizes) => ({ ...llama.preset(sizes), normEps: 1e-6 }),
  problems: (config) => [
    ...llama.problems(config),
    ...(config.bias === true || config.bias === "mlp"
      ? [
          `qwen3 has biases on attention alone: bias must be "attention" or false, got ${config.bias}`,
        ]
      : []),
  ],
  toHf: (config) => ({
    ...sharedFields(config),
    head_dim: config.headSize,
    attention_bias: biasFields(config)["attention_bias"]!,
    use_sliding_window: false,
  }),
  fromHf: (reader) => ({
    ...readShared(reader, { maxPositions: 32_768, headSize: 128 }),
    bias: reader.fields["attention_bias"] === true ? "attention" : false,
  }),
  unsupported: (hf) => [
    ...sharedProblems(hf),
    ...only(hf, "use_sliding_window", [false]),
    ...layerTypeProblems(hf),
  ],
};
