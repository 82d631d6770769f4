import { StagecraftError, type JsonValue } from "@stagecraft/core";
import { plainRope, type Rope } from "@stagecraft/tensor";
import type { ModelConfig, RopeScaling } from "./config.js";

/** The rotary angles of a model, those of layers without a window where they differ. */
export function ropeOf(config: ModelConfig): Rope {
  const plain = plainRope(config.ropeTheta, numPairs(config));
  const { ropeScaling: scaling } = config;
  return scaling ? TYPES[scaling.rope_type]!.scale(plain.frequencies, scaling, config) : plain;
}

/** The angles of layers with a window, which no scaling concerns. */
export const localRopeOf = (config: ModelConfig, theta: number): Rope =>
  plainRope(theta, numPairs(config));

const numPairs = ({ headSize, rotaryFraction = 1 }: ModelConfig) =>
  Math.floor(Math.floor(headSize * rotaryFraction) / 2);

interface RopeType {
  /** Numbers that must be there. */
  readonly needs: readonly string[];
  scale(frequencies: Float64Array, scaling: RopeScaling, config: ModelConfig): Rope;
}

/**
 * As in transformers' modeling_rope_utils.py. "dynamic" changes nothing within max_position_embeddings, and
 * "longrope" has its short factors there once max_position_embeddings is the original one (see phi3.ts).
 */
const TYPES: Readonly<Record<string, RopeType>> = {
  linear: {
    needs: ["factor"],
    scale: (plain, scaling) => ({ frequencies: plain.map((f) => f / numberOf(scaling, "factor")) }),
  },
  dynamic: { needs: ["factor"], scale: (frequencies) => ({ frequencies }) },
  llama3: {
    needs: [
      ...["factor", "low_freq_factor", "high_freq_factor"],
      "original_max_position_embeddings",
    ],
    scale: llama3,
  },
  yarn: { needs: ["factor", "original_max_position_embeddings"], scale: yarn },
  longrope: { needs: ["attention_factor"], scale: longrope },
};

export const ROPE_TYPES = Object.keys(TYPES);

/** What is wrong with a scaling of a type that we know. */
export function ropeProblems(scaling: RopeScaling, pairs: number): string[] {
  const { rope_type: type } = scaling;
  const known = TYPES[type];
  if (!known) return [`rope_type must be one of ${ROPE_TYPES.join(", ")}, got ${type}`];
  const problems = known.needs
    .filter((field) => !(typeof scaling[field] === "number" && scaling[field] > 0))
    .map(
      (field) => `rope_type ${type} needs ${field} above 0, got ${JSON.stringify(scaling[field])}`,
    );
  if (type !== "longrope" || factorsOf(scaling).length === pairs) return problems;
  return [...problems, `short_factor must be ${pairs} numbers, one for each pair of dimensions`];
}

/** Divides low frequencies by the factor, leaves high ones, and goes over from one to the other (Llama 3.1). */
function llama3(plain: Float64Array, scaling: RopeScaling): Rope {
  const [factor, low, high, context] = [
    ...["factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"],
  ].map((field) => numberOf(scaling, field)) as [number, number, number, number];
  const frequencies = plain.map((frequency) => {
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength < context / high) return frequency;
    if (wavelength > context / low) return frequency / factor;
    const share = (context / wavelength - low) / (high - low);
    return ((1 - share) * frequency) / factor + share * frequency;
  });
  return { frequencies };
}

/** YaRN (Peng et al. 2023). */
function yarn(plain: Float64Array, scaling: RopeScaling, { ropeTheta }: ModelConfig): Rope {
  const number = (field: string, fallback: number) => numberOf(scaling, field, fallback);
  const [factor, context] = [number("factor", 1), number("original_max_position_embeddings", 1)];
  const size = 2 * plain.length;
  const dimensionOf = (turns: number) =>
    (size * Math.log(context / (turns * 2 * Math.PI))) / (2 * Math.log(ropeTheta));
  const isWhole = scaling["truncate"] !== false;
  const fast = dimensionOf(number("beta_fast", 32));
  const slow = dimensionOf(number("beta_slow", 1));
  const from = Math.max(isWhole ? Math.floor(fast) : fast, 0);
  const to = Math.min(isWhole ? Math.ceil(slow) : slow, size - 1);
  const width = from === to ? 0.001 : to - from;
  const frequencies = plain.map((frequency, i) => {
    const ramp = Math.min(Math.max((i - from) / width, 0), 1);
    return (frequency / factor) * ramp + frequency * (1 - ramp);
  });
  return { frequencies, scale: yarnScale(scaling, factor) };
}

function yarnScale(scaling: RopeScaling, factor: number): number {
  const of = (weight: number) => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1);
  const { attention_factor: given, mscale, mscale_all_dim: all } = scaling;
  if (typeof given === "number") return given;
  return typeof mscale === "number" && typeof all === "number" && mscale && all
    ? of(mscale) / of(all)
    : of(1);
}

function longrope(plain: Float64Array, scaling: RopeScaling): Rope {
  const factors = factorsOf(scaling);
  const frequencies = plain.map((frequency, i) => frequency / factors[i]!);
  return { frequencies, scale: numberOf(scaling, "attention_factor") };
}

const isNumber = (value: JsonValue): value is number => typeof value === "number" && value > 0;

function factorsOf({ short_factor: factors }: RopeScaling): number[] {
  return Array.isArray(factors) ? factors.filter(isNumber) : [];
}

function numberOf(scaling: RopeScaling, field: string, fallback?: number): number {
  const value = scaling[field] ?? fallback;
  if (typeof value === "number") return value;
  throw new StagecraftError("internal", `rope ${field} was not checked`);
}
