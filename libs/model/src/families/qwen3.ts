/** Qwen3 (Yang et al. 2025): Llama with norms of each query and key head; biases of attention by option. */
import type { Family } from "./family.js";
import { llama } from "./llama.js";
import {
  attentionBiasField,
  attentionBiasProblems,
  fullAttentionProblems,
  headNormNames,
  readAttentionBias,
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
      ...headNormNames(layer),
    }),
  },
  block: { ...llama.block, headNorms: "each" },
  preset: (sizes) => ({ ...llama.preset(sizes), normEps: 1e-6 }),
  problems: (config) => [...llama.problems(config), ...attentionBiasProblems(config)],
  toHf: (config) => ({
    ...sharedFields(config),
    head_dim: config.headSize,
    ...attentionBiasField(config),
    use_sliding_window: false,
  }),
  fromHf: (reader) => ({
    ...readShared(reader, { maxPositions: 32_768, headSize: 128 }),
    bias: readAttentionBias(reader),
  }),
  unsupported: (hf) => [...sharedProblems(hf), ...fullAttentionProblems(hf)],
};
