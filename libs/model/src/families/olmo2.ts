/** OLMo 2 (OLMo team 2024): Llama with norms of what blocks give, not of what they get, and of all queries and keys. */
import { moduleAt } from "../names.js";
import type { Family } from "./family.js";
import { llama } from "./llama.js";
import {
  attentionBiasField,
  attentionBiasProblems,
  headNormNames,
  layerTypeProblems,
  readAttentionBias,
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
        ...headNormNames(layer),
        attentionPostNorm: moduleAt(`${path}.post_attention_layernorm`),
        mlpPostNorm: moduleAt(`${path}.post_feedforward_layernorm`),
      };
    },
  },
  block: { ...llama.block, headNorms: "all" },
  problems: (config) => [...llama.problems(config), ...attentionBiasProblems(config)],
  toHf: (config) => ({
    ...sharedFields(config),
    head_dim: config.headSize,
    ...attentionBiasField(config),
  }),
  fromHf: (reader) => ({
    ...readShared(reader, { maxPositions: 2048, normEps: 1e-5 }),
    bias: readAttentionBias(reader),
  }),
  unsupported: (hf) => [...sharedProblems(hf), ...layerTypeProblems(hf)],
};
