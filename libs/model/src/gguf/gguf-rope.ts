/** Rotary angles in llama.cpp's words. */
import { plainRope } from "@stagecraft/tensor";
import type { ModelConfig, RopeScaling } from "../config.js";
import { ropeOf } from "../rope.js";
import type { GgufFamily } from "./gguf-families.js";
import type { GgufValue } from "./gguf-file.js";

const BY_NUMBERS = ["linear", "dynamic", "yarn"];

/** Scaled angles that llama.cpp would compute otherwise. */
export function ropeProblems({ ropeScaling }: ModelConfig, family: GgufFamily): string[] {
  const { rope_type: type = "default" } = ropeScaling ?? {};
  if (type === "default") return [];
  if (!(family.ropeTypes ?? BY_NUMBERS).includes(type)) {
    return [`rotary angles of type ${type} in ${family.architecture}`];
  }
  return type === "yarn" ? yarnProblems(ropeScaling!) : longProblems(ropeScaling!);
}

/** llama.cpp rounds the limits of the ramp, and reads other turns than these in few families. */
function yarnProblems({ truncate, beta_fast: fast, beta_slow: slow }: RopeScaling): string[] {
  return [
    ...(truncate === false ? ["yarn with truncate false"] : []),
    ...((fast ?? 32) === 32 && (slow ?? 1) === 1 ? [] : ["yarn with other betas than 32 and 1"]),
  ];
}

function longProblems({ rope_type: type, short_factor: short, long_factor: long }: RopeScaling) {
  if (type !== "longrope") return [];
  const [known, wanted] = [lengthOf(long), lengthOf(short)];
  return known === wanted ? [] : [`a long_factor of ${known} numbers for ${wanted} pairs`];
}

const lengthOf = (value: unknown) => (Array.isArray(value) ? value.length : 0);

/** Metadata of the angles, without the architecture's prefix. */
export function ropeMetadata(config: ModelConfig): Record<string, GgufValue> {
  const { ropeTheta, ropeScaling } = config;
  return {
    "rope.freq_base": { f32: ropeTheta },
    "rope.dimension_count": { u32: 2 * ropeOf(config).frequencies.length },
    ...(ropeScaling && scalingMetadata(config, ropeScaling)),
  };
}

function scalingMetadata(config: ModelConfig, scaling: RopeScaling): Record<string, GgufValue> {
  const factor = Number(scaling["factor"]);
  const context = { u32: Number(scaling["original_max_position_embeddings"]) };
  const { scale = 1 } = ropeOf(config);
  switch (scaling.rope_type) {
    case "linear":
      return { "rope.scaling.type": "linear", "rope.scaling.factor": { f32: factor } };
    case "yarn": // what YaRN itself multiplies scores by is llama.cpp's own
      return {
        "rope.scaling.type": "yarn",
        "rope.scaling.factor": { f32: factor },
        "rope.scaling.original_context_length": context,
        "rope.scaling.attn_factor": { f32: scale / (1 + 0.1 * Math.log(Math.max(1, factor))) },
      };
    case "longrope":
      return {
        "rope.scaling.original_context_length": context,
        "rope.scaling.attn_factor": { f32: scale },
      };
    default:
      return {};
  }
}

/** Tensors of divisors of the plain frequencies: Llama 3's, or those of short and of long contexts. */
export function ropeTensors(config: ModelConfig): Map<string, Float32Array> {
  const { ropeScaling: scaling, ropeTheta } = config;
  if (scaling?.rope_type === "longrope") {
    const numbers = (field: string) => Float32Array.from(scaling[field] as number[]);
    return new Map([
      ["rope_factors_short.weight", numbers("short_factor")],
      ["rope_factors_long.weight", numbers("long_factor")],
    ]);
  }
  if (scaling?.rope_type !== "llama3") return new Map();
  const { frequencies } = ropeOf(config);
  const plain = plainRope(ropeTheta, frequencies.length).frequencies;
  const divisors = Float32Array.from(frequencies, (frequency, i) => plain[i]! / frequency);
  return new Map([["rope_freqs.weight", divisors]]);
}
