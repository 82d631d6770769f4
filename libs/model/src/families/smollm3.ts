/** SmolLM3 (Bakouch et al. 2025): Llama in which every fourth layer has no rotary positions (NoPE). */
import type { HfReader } from "../hf-reader.js";
import type { Family } from "./family.js";
import { llama } from "./llama.js";
import {
  biasFields,
  fullAttentionProblems,
  readBias,
  readShared,
  sharedFields,
  sharedProblems,
} from "./shared.js";

export const smollm3: Family = {
  ...llama,
  classes: { lm: "SmolLM3ForCausalLM", score: "SmolLM3ForSequenceClassification" },
  preset: (sizes) => ({
    ...llama.preset(sizes),
    ...{ tieEmbeddings: true, normEps: 1e-6, ropeTheta: 2_000_000 },
    ropeLayers: Array.from({ length: sizes.numLayers }, (_, i) => (i + 1) % 4 !== 0),
  }),
  toHf: (config) => ({
    ...sharedFields(config),
    head_dim: config.headSize,
    ...biasFields(config),
    use_sliding_window: false,
    no_rope_layers: Array.from({ length: config.numLayers }, (_, i) =>
      config.ropeLayers?.[i] === false ? 0 : 1,
    ),
  }),
  fromHf: (reader) => ({
    ...readShared(reader, { maxPositions: 32_768, ropeTheta: 2_000_000, tieEmbeddings: true }),
    bias: readBias(reader),
    ropeLayers: ropeLayersOf(reader),
  }),
  unsupported: (hf) => [...sharedProblems(hf), ...fullAttentionProblems(hf)],
};

/** A 1 in `no_rope_layers` is a layer with rotary positions. */
function ropeLayersOf({ fields, number }: HfReader): boolean[] {
  const listed = fields["no_rope_layers"];
  const interval = number("no_rope_layer_interval", 4);
  return Array.from({ length: number("num_hidden_layers") }, (_, i) =>
    Array.isArray(listed) ? listed[i] === 1 || listed[i] === true : (i + 1) % interval !== 0,
  );
}
