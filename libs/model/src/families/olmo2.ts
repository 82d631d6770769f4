/** OLMo 2 (OLMo team 2024): Llama with norms of what blocks give, not of what they get, and of all queries and keys. */
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

export const olmo2: Family = {
  ...llama,
  classes: { lm: "Olmo2ForCausalLM", score: "Olmo2ForSequenceClassification" },
  names: {
    ...llama.names,
    block(layer) {
      const path = `model.layers.${layer}`;
      const { attentionNorm: _, mlpNorm: __, ...maps } = llama.names.block(layer);
      return {
        ...maps,
        qNorm: moduleAt(`${path}.self_attn.q_norm`),
        kNorm: moduleAt(`${path}.self_attn.k_norm`),
        attentionPostNorm: moduleAt(`${path}.post_attention_layernorm`),
        mlpPostNorm: moduleAt(`${path}.post_feedforward_layernorm`),
      };
    },
  },
  block: { ...llama.block, headNorms: "all" },
  problems: (config) => [
    ...llama.problems(config),
    ...(config.bias === true || config.bias === "mlp"
      ? [
          `olmo2 has biases on attention alone: bias must be "attention" or false, got ${config.bias}`,
        ]
      : []),
  ],
  toHf: (config) => ({
    ...sharedFields(config),
    head_dim: config.headSize,
    attention_bias: biasFields(config)["attention_bias"]!,
  }),
  fromHf: (reader) => ({
    ...readShared(reader, { maxPositions: 2048, normEps: 1e-5 }),
    bias: reader.fields["attention_bias"] === true ? "attention" : false,
  }),
  unsupported: (hf) => [...sharedProblems(hf), ...layerTypeProblems(hf)],
};
