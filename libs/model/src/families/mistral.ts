/** Mistral (Jiang et al. 2023): Llama in which a token sees a window of the latest tokens. */
import type { Family } from "./family.js";
import { llama } from "./llama.js";
import { readShared, sharedFields, sharedProblems } from "./shared.js";

export const mistral: Family = {
  ...llama,
  classes: { lm: "MistralForCausalLM", score: "MistralForSequenceClassification" },
  hasBias: () => false,
  problems: (config) => [
    ...llama.problems(config),
    ...(config.bias === false ? [] : ["mistral has no biases: bias must be false"]),
  ],
  toHf: (config) => ({
    ...sharedFields(config),
    head_dim: config.headSize,
    sliding_window: config.slidingWindow ?? null,
  }),
  fromHf: (reader) => ({
    ...readShared(reader, { maxPositions: 131_072 }),
    bias: false,
    ...(reader.fields["sliding_window"] !== null && {
      slidingWindow: reader.number("sliding_window", 4096),
    }),
  }),
  unsupported: (hf) => [
    ...sharedProblems(hf),
    ...(hf["layer_types"] == null ? [] : ["layer_types"]),
  ],
};
