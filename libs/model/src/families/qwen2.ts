/** Qwen2 and 2.5 (Yang et al. 2024): Llama with biases on q, k and v alone. */
import type { Family, ModuleKind } from "./family.js";
import { llama } from "./llama.js";
import { fullAttentionProblems, readShared, sharedFields, sharedProblems } from "./shared.js";

const BIASED = new Set<ModuleKind>(["q", "k", "v"]);

export const qwen2: Family = {
  ...llama,
  classes: { lm: "Qwen2ForCausalLM", score: "Qwen2ForSequenceClassification" },
  hasBias: (module, bias) => bias === true && BIASED.has(module),
  preset: (sizes) => ({ ...llama.preset(sizes), normEps: 1e-6, bias: true }),
  problems: (config) => [
    ...llama.problems(config),
    ...(config.bias ? [] : ["qwen2 has biases on q, k and v: bias must be true, got false"]),
  ],
  toHf: (config) => ({
    ...sharedFields(config),
    head_dim: config.headSize,
    use_sliding_window: false,
  }),
  fromHf: (reader) => ({ ...readShared(reader, { maxPositions: 32_768 }), bias: true }),
  unsupported: (hf) => [...sharedProblems(hf), ...fullAttentionProblems(hf)],
};
