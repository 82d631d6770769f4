/** Granite 3 (IBM 2024): Llama with factors on embeddings, attention scores, residuals and logits. */
import type { Family } from "./family.js";
import { llama } from "./llama.js";
import {
  biasFields,
  layerTypeProblems,
  readBias,
  readShared,
  sharedFields,
  sharedProblems,
} from "./shared.js";

export const granite: Family = {
  ...llama,
  classes: { lm: "GraniteForCausalLM", score: "GraniteForSequenceClassification" },
  preset: (sizes) => ({ ...llama.preset(sizes), normEps: 1e-6 }),
  toHf: (config) => ({
    ...sharedFields(config),
    head_dim: config.headSize,
    ...biasFields(config),
    embedding_multiplier: config.embeddingScale ?? 1,
    attention_multiplier: config.attentionScale ?? 1 / Math.sqrt(config.headSize),
    residual_multiplier: config.residualScale ?? 1,
    logits_scaling: config.logitDivisor ?? 1,
  }),
  fromHf: (reader) => ({
    ...readShared(reader, { maxPositions: 2048 }),
    bias: readBias(reader),
    embeddingScale: reader.number("embedding_multiplier", 1),
    attentionScale: reader.number("attention_multiplier", 1),
    residualScale: reader.number("residual_multiplier", 1),
    logitDivisor: reader.number("logits_scaling", 1),
  }),
  unsupported: (hf) => [...sharedProblems(hf), ...layerTypeProblems(hf)],
};
