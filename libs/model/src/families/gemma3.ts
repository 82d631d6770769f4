/**
 * Gemma 3's text model (Gemma team 2025): Gemma 2 without caps, with norms of each query and key head, and
 * five layers with a window and rotary angles of their own for each without.
 */
import type { JsonObject } from "@stagecraft/core";
import type { ModelConfig } from "../config.js";
import { isObject, type HfReader } from "../hf-reader.js";
import type { Family } from "./family.js";
import { gemma2, gemmaFields, gemmaUnsupported, readCap, readGemma } from "./gemma2.js";
import { headNormNames, readShared, ropeOf, ropeTypeProblems, scalingOf } from "./shared.js";

export const gemma3: Family = {
  ...gemma2,
  classes: { lm: "Gemma3ForCausalLM", score: "Gemma3TextForSequenceClassification" },
  names: {
    ...gemma2.names,
    block: (layer) => ({
      ...gemma2.names.block(layer),
      ...headNormNames(layer),
    }),
  },
  block: { ...gemma2.block, headNorms: "each" },
  preset: (sizes) => ({ ...gemma2.preset(sizes), ropeTheta: 1_000_000 }),
  toHf(config) {
    const { rope_parameters: _, rope_scaling: __, ...fields } = gemmaFields(config);
    const { ropeTheta, ropeScaling, localRopeTheta = 10_000 } = config;
    return {
      ...fields,
      rope_local_base_freq: localRopeTheta, // transformers 4
      ...(ropeScaling && { rope_scaling: ropeScaling }),
      rope_parameters: {
        full_attention: { ...(ropeScaling ?? { rope_type: "default" }), rope_theta: ropeTheta },
        sliding_attention: { rope_type: "default", rope_theta: localRopeTheta },
      },
      final_logit_softcapping: config.logitSoftcap ?? null,
      attn_logit_softcapping: config.attentionSoftcap ?? null,
    };
  },
  fromHf(reader) {
    const shared = readShared(reader, {
      ...{ maxPositions: 131_072, tieEmbeddings: true, headSize: 256 },
    });
    const pattern = reader.number("sliding_window_pattern", 6);
    const isLocal = (layer: number) => (layer + 1) % pattern !== 0;
    return {
      ...shared,
      ...readGemma(reader, { hiddenSize: shared.hiddenSize, isLocal }),
      ...readRopes(reader, shared.maxPositions),
      ...readCap(reader, "logitSoftcap", "final_logit_softcapping"),
      ...readCap(reader, "attentionSoftcap", "attn_logit_softcapping"),
    };
  },
  unsupported(hf) {
    const { full, local } = ropesOf(hf);
    return [
      ...gemmaUnsupported(hf),
      ...ropeTypeProblems({ ...hf, rope_parameters: full, rope_scaling: null }),
      ...(scalingOf(local, 1) ? ["scaled rotary angles of sliding_attention"] : []),
    ];
  },
};

function readRopes(
  { fields, number }: HfReader,
  maxPositions: number,
): Pick<ModelConfig, "ropeTheta" | "localRopeTheta" | "ropeScaling"> {
  const { full, local } = ropesOf(fields);
  const scaling = scalingOf(full, maxPositions);
  return {
    ropeTheta: thetaOf(full) ?? number("rope_theta", 1_000_000),
    localRopeTheta: thetaOf(local) ?? number("rope_local_base_freq", 10_000),
    ...(scaling && { ropeScaling: scaling }),
  };
}

const thetaOf = ({ rope_theta: theta }: JsonObject) =>
  typeof theta === "number" ? theta : undefined;

/** Angles of layers without and with a window; earlier files have one `rope_scaling`, for those without. */
function ropesOf(hf: JsonObject): { full: JsonObject; local: JsonObject } {
  const { rope_parameters: both, rope_scaling: scaling } = hf;
  const part = (name: string) => (isObject(both) && isObject(both[name]) ? both[name] : {});
  const flat = isObject(both) && ("rope_type" in both || "rope_theta" in both) ? ropeOf(hf) : {};
  const full = { ...flat, ...part("full_attention"), ...(isObject(scaling) ? scaling : {}) };
  return { full, local: part("sliding_attention") };
}
