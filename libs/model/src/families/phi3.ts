/**
 * Phi-3 and Phi-4 (Abdin et al. 2024): Llama with queries, keys and values in one weight, gate and up in
 * another, and by option a window and heads rotated in part. Departure: models of rope_type "longrope" turn
 * to other angles beyond original_max_position_embeddings; here their context ends there.
 */
import type { JsonObject } from "@stagecraft/core";
import type { ModelConfig, RopeScaling } from "../config.js";
import { only, type HfReader } from "../hf-reader.js";
import { fusedRows } from "./convert.js";
import type { Family } from "./family.js";
import { llama } from "./llama.js";
import { readShared, ropeOf, ropeTypeProblems, sharedFields } from "./shared.js";

export const phi3: Family = {
  ...llama,
  classes: { lm: "Phi3ForCausalLM", score: "Phi3ForSequenceClassification" },
  hasBias: () => false,
  problems: (config) => [
    ...llama.problems(config),
    ...(config.bias === false ? [] : ["phi3 has no biases: bias must be false"]),
  ],
  toHf: (config) => ({
    ...sharedFields(config),
    ...(config.headSize * config.numHeads !== config.hiddenSize && { head_dim: config.headSize }),
    original_max_position_embeddings: config.maxPositions,
    sliding_window: config.slidingWindow ?? null,
    ...{ resid_pdrop: 0, embd_pdrop: 0 },
  }),
  fromHf(reader) {
    const shared = readShared(reader, { maxPositions: 4096, normEps: 1e-5 });
    return {
      ...shared,
      ...withinContext(reader, shared),
      bias: false,
      ...(reader.fields["sliding_window"] != null && {
        slidingWindow: reader.number("sliding_window"),
      }),
    };
  },
  unsupported: (hf) => [
    ...only(hf, "hidden_act", ["silu", "swish"]),
    ...ropeTypeProblems(hf).filter((problem) => !LONG.test(problem)),
  ],
  convert: fusedRows(({ numLayers, numHeads, numKvHeads, headSize, intermediateSize }) => {
    const [q, kv] = [numHeads * headSize, numKvHeads * headSize];
    return Array.from({ length: numLayers }, (_, layer) => {
      const [attention, mlp] = [`model.layers.${layer}.self_attn`, `model.layers.${layer}.mlp`];
      return [
        {
          fused: `${attention}.qkv_proj`,
          parts: ["q", "k", "v"].map((part) => `${attention}.${part}_proj`),
          rows: [q, kv, kv],
        },
        {
          fused: `${mlp}.gate_up_proj`,
          parts: [`${mlp}.gate_proj`, `${mlp}.up_proj`],
          rows: [intermediateSize, intermediateSize],
        },
      ];
    }).flat();
  }),
};

/** Names that transformers gave to one type. */
const LONG = /of type "(longrope|su|yarn)"$/;

type Shared = Pick<ModelConfig, "maxPositions" | "ropeScaling">;

/** Context and angles of a model with "longrope": those of its original context. */
function withinContext(reader: HfReader, { maxPositions, ropeScaling }: Shared): Partial<Shared> {
  if (!ropeScaling) return {};
  const context = reader.number("original_max_position_embeddings", 4096);
  return {
    maxPositions: Math.min(context, maxPositions),
    ropeScaling: longrope(ropeOf(reader.fields), maxPositions / context, context),
  };
}

function longrope(rope: JsonObject, stretch: number, context: number): RopeScaling {
  const { short_factor, long_factor, factor = stretch, attention_factor: given } = rope;
  const grown = typeof factor === "number" && factor > 1 ? Math.log(factor) : 0;
  return {
    ...{
      rope_type: "longrope",
      short_factor: short_factor ?? null,
      long_factor: long_factor ?? null,
      factor,
    },
    original_max_position_embeddings: context,
    attention_factor: given ?? Math.sqrt(1 + grown / Math.log(context)),
  };
}
