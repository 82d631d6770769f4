/** What config.json says alike in families of Llama's make. */
import type { JsonObject, JsonValue } from "@stagecraft/core";
import type { ModelConfig, RopeScaling } from "../config.js";
import { isObject, only, type HfReader } from "../hf-reader.js";
import { moduleAt } from "../names.js";
import { ROPE_TYPES } from "../rope.js";
import type { Family } from "./family.js";

export interface SharedDefaults {
  maxPositions: number;
  normEps?: number;
  ropeTheta?: number;
  tieEmbeddings?: boolean;
  headSize?: number;
}

/** The fields of config.json that families of Llama's make have in common. */
export function sharedFields(config: ModelConfig): JsonObject {
  return {
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.numLayers,
    num_attention_heads: config.numHeads,
    num_key_value_heads: config.numKvHeads,
    max_position_embeddings: config.maxPositions,
    hidden_act: "silu",
    rms_norm_eps: config.normEps,
    ...ropeFields(config),
    attention_dropout: 0,
  };
}

/** The rotary angles as transformers 4 and 5 read them. */
export function ropeFields({ ropeTheta, ropeScaling, rotaryFraction }: ModelConfig): JsonObject {
  const partial: JsonObject =
    rotaryFraction === undefined ? {} : { partial_rotary_factor: rotaryFraction };
  const scaling: JsonObject = ropeScaling ?? { rope_type: "default" };
  return {
    rope_theta: ropeTheta, // transformers 4
    ...partial,
    ...(ropeScaling && { rope_scaling: { ...ropeScaling, rope_theta: ropeTheta, ...partial } }),
    rope_parameters: { ...scaling, rope_theta: ropeTheta, ...partial }, // transformers 5
  };
}

export function readShared(
  reader: HfReader,
  defaults: SharedDefaults,
): Omit<ReturnType<Family["fromHf"]>, "bias"> {
  const { fields, number } = reader;
  const [hiddenSize, numHeads] = [number("hidden_size"), number("num_attention_heads")];
  const { tieEmbeddings = false, headSize = hiddenSize / numHeads } = defaults;
  const maxPositions = number("max_position_embeddings", defaults.maxPositions);
  return {
    hiddenSize,
    numHeads,
    numLayers: number("num_hidden_layers"),
    numKvHeads: number("num_key_value_heads", numHeads),
    headSize: number("head_dim", headSize),
    intermediateSize: number("intermediate_size"),
    maxPositions,
    ...readRope(reader, { theta: defaults.ropeTheta ?? 10_000, maxPositions }),
    normEps: number("rms_norm_eps", defaults.normEps ?? 1e-6),
    tieEmbeddings: (fields["tie_word_embeddings"] ?? tieEmbeddings) === true,
  };
}

/** Base, scaling and share of the rotary angles: transformers 5 moved them, files have one or both. */
export function readRope(
  { fields, number }: HfReader,
  { theta, maxPositions }: { theta: number; maxPositions: number },
): Pick<ModelConfig, "ropeTheta" | "ropeScaling" | "rotaryFraction"> {
  const scaling = scalingOf(ropeOf(fields), maxPositions);
  const fraction = number(fieldWithin(fields, "partial_rotary_factor"), 1);
  return {
    ropeTheta: number(fieldWithin(fields, "rope_theta"), theta),
    ...(scaling && { ropeScaling: scaling }),
    ...(fraction !== 1 && { rotaryFraction: fraction }),
  };
}

const HOMES = ["rope_scaling", "rope_parameters"] as const;

/** What transformers reads: `rope_scaling` where it says anything, else `rope_parameters`. */
export function ropeOf(hf: JsonObject): JsonObject {
  const home = HOMES.find((field) => isObject(hf[field]) && Object.keys(hf[field]).length > 0);
  return home === undefined ? {} : (hf[home] as JsonObject);
}

const typeOf = (rope: JsonObject): JsonValue => rope["rope_type"] ?? rope["type"] ?? "default";

/** The scaling alone, undefined where there is none. */
export function scalingOf(rope: JsonObject, maxPositions: number): RopeScaling | undefined {
  const type = typeOf(rope);
  if (type === "default") return undefined;
  const { rope_theta: _theta, partial_rotary_factor: _share, type: _type, ...numbers } = rope;
  const needsContext = type === "llama3" || type === "yarn";
  const context = numbers["original_max_position_embeddings"] ?? maxPositions;
  return {
    ...numbers,
    rope_type: String(type),
    ...(needsContext && { original_max_position_embeddings: context }),
  };
}

/** Where a number of the rotary angles stands: within `rope_parameters`, within `rope_scaling`, or beside. */
function fieldWithin(hf: JsonObject, field: string): string {
  const within = ["rope_parameters", "rope_scaling"].find((home) => {
    const rope = hf[home];
    return isObject(rope) && rope[field] != null;
  });
  return within === undefined ? field : `${within}.${field}`;
}

export function sharedProblems(hf: JsonObject): string[] {
  return [...only(hf, "hidden_act", ["silu", "swish"]), ...ropeTypeProblems(hf)];
}

/** Types of scaling that we do not know, or know only in part. */
export function ropeTypeProblems(hf: JsonObject): string[] {
  const problems = HOMES.flatMap((field) => {
    const rope = hf[field];
    const type = isObject(rope) ? typeOf(rope) : "default";
    const known = type === "default" || (type !== "longrope" && ROPE_TYPES.includes(String(type)));
    return known ? [] : [`${field} of type ${JSON.stringify(type)}`];
  });
  const rope = ropeOf(hf);
  const context = rope["original_max_position_embeddings"];
  if (typeOf(rope) === "dynamic" && context != null && context !== hf["max_position_embeddings"]) {
    problems.push("dynamic rope scaling with original_max_position_embeddings");
  }
  return problems;
}

/** A problem where some layers attend in another way than all others. */
export function layerTypeProblems({ layer_types: types }: JsonObject): string[] {
  const differ = Array.isArray(types) && types.some((type) => type !== "full_attention");
  return differ ? ["layer_types other than full_attention"] : [];
}

/** Of families that could have windows, where we compute none. */
export const fullAttentionProblems = (hf: JsonObject): string[] => [
  ...only(hf, "use_sliding_window", [false]),
  ...layerTypeProblems(hf),
];

/** Which layers have a window, of a config.json with `layer_types`; `fallback` says it where it has none. */
export function windowLayersOf(
  { fields, number }: HfReader,
  fallback: (layer: number) => boolean,
): boolean[] {
  const types = fields["layer_types"];
  return Array.from({ length: number("num_hidden_layers") }, (_, i) =>
    Array.isArray(types) ? types[i] === "sliding_attention" : fallback(i),
  );
}

export const layerTypesOf = ({ numLayers, slidingWindow, windowLayers }: ModelConfig) =>
  Array.from({ length: numLayers }, (_, i) =>
    slidingWindow !== undefined && (windowLayers?.[i] ?? true)
      ? "sliding_attention"
      : "full_attention",
  );

/** Biases of a config.json with `attention_bias` and `mlp_bias`. */
export function readBias({ fields }: HfReader): ModelConfig["bias"] {
  const [attention, mlp] = [fields["attention_bias"] === true, fields["mlp_bias"] === true];
  if (attention === mlp) return attention;
  return attention ? "attention" : "mlp";
}

export const biasFields = ({ bias }: ModelConfig): JsonObject => ({
  attention_bias: bias === true || bias === "attention",
  mlp_bias: bias === true || bias === "mlp",
});

/** Of families whose maps of attention alone can have biases. */
export const attentionBiasField = ({ bias }: ModelConfig): JsonObject => ({
  attention_bias: bias === "attention",
});

export const readAttentionBias = ({ fields }: HfReader): ModelConfig["bias"] =>
  fields["attention_bias"] === true ? "attention" : false;

export function attentionBiasProblems({ architecture, bias }: ModelConfig): string[] {
  if (bias === "attention" || bias === false) return [];
  return [
    `${architecture} has biases on attention alone: bias must be "attention" or false, got ${bias}`,
  ];
}

/** Norms of queries and keys, of a block in Llama's names. */
export const headNormNames = (layer: number) => ({
  qNorm: moduleAt(`model.layers.${layer}.self_attn.q_norm`),
  kNorm: moduleAt(`model.layers.${layer}.self_attn.k_norm`),
});

/** Dimensions turn in pairs. */
export function rotaryProblems({ headSize, rotaryFraction = 1 }: ModelConfig): string[] {
  if ((headSize * rotaryFraction) % 2 === 0) return [];
  return rotaryFraction === 1
    ? [`rotary positions need an even headSize, got ${headSize}`]
    : [`rotaryFraction ${rotaryFraction} of headSize ${headSize} is no even number of dimensions`];
}
