/** What a model's generation_config.json says of sampling, as transformers means it. */
import {
  isRepetitionPenalty,
  isTemperature,
  REPETITION_PENALTY_RANGE,
  StagecraftError,
  TEMPERATURE_RANGE,
  type JsonObject,
  type JsonValue,
} from "@stagecraft/core";
import { isObject } from "../hf-reader.js";
import type { SamplingParams } from "./sampling.js";

/** Fields that a model can have defaults for. */
export type GenerationField =
  "temperature" | "topK" | "topP" | "minP" | "repetitionPenalty" | "maxNewTokens";

export interface GenerationDefaults {
  /** Only what the file says. */
  readonly sampling: Partial<Pick<SamplingParams, GenerationField>>;
  /** What else it says of how tokens are drawn, which is not done here: `num_beams 4`. */
  readonly unsupported: readonly string[];
}

interface Field {
  readonly name: GenerationField;
  isValid(value: number): boolean;
  readonly range: string;
}

const isWhole = (value: number) => Number.isInteger(value) && value < 2 ** 31;

const FIELDS: Readonly<Record<string, Field>> = {
  temperature: { name: "temperature", isValid: isTemperature, range: TEMPERATURE_RANGE },
  top_k: { name: "topK", isValid: (k) => isWhole(k) && k >= 0, range: "a whole number from 0" },
  top_p: { name: "topP", isValid: (p) => p > 0 && p <= 1, range: "above 0 and at most 1" },
  min_p: { name: "minP", isValid: (p) => p >= 0 && p <= 1, range: "from 0 to 1" },
  repetition_penalty: {
    ...{ name: "repetitionPenalty", isValid: isRepetitionPenalty, range: REPETITION_PENALTY_RANGE },
  },
  max_new_tokens: {
    ...{ name: "maxNewTokens", isValid: (n) => isWhole(n) && n >= 1 },
    range: "a whole number from 1",
  },
};

/** Values with which a field that we do not know changes nothing; null and absent never do. */
const WITHOUT_EFFECT: Readonly<Record<string, readonly JsonValue[]>> = {
  ...{ num_beams: [1], num_beam_groups: [1], penalty_alpha: [0], dola_layers: [] },
  ...{ no_repeat_ngram_size: [0], encoder_no_repeat_ngram_size: [0] },
  ...{ encoder_repetition_penalty: [1], diversity_penalty: [0], typical_p: [1], top_h: [1] },
  ...{ epsilon_cutoff: [0], eta_cutoff: [0], guidance_scale: [1], min_length: [0] },
  ...{ min_new_tokens: [0], max_length: [20], max_time: [], stop_strings: [] },
  ...{ bad_words_ids: [], force_words_ids: [], constraints: [], sequence_bias: [] },
  ...{ forced_bos_token_id: [], forced_eos_token_id: [], suppress_tokens: [] },
  ...{ begin_suppress_tokens: [], exponential_decay_length_penalty: [], watermarking_config: [] },
};

const FILE = "generation_config.json";

/**
 * The defaults that lie beside a model. `do_sample: false` is a temperature of 0. Throws `invalid_argument`
 * for values that cannot be; `origin` is the directory, for messages.
 */
export function generationDefaults(
  files: Readonly<Record<string, string>>,
  origin: string,
): GenerationDefaults {
  const config = parse(files[FILE], origin);
  const sampling: { -readonly [K in GenerationField]?: number } = {};
  for (const [key, { name, isValid, range }] of Object.entries(FIELDS)) {
    const value = config[key];
    if (value == null) continue;
    if (typeof value !== "number" || !isValid(value)) {
      throw invalid(origin, `${key} must be ${range}, got ${JSON.stringify(value)}`);
    }
    sampling[name] = value;
  }
  if (config["do_sample"] === false) sampling.temperature = 0;
  return { sampling, unsupported: unsupportedOf(config) };
}

function unsupportedOf(config: JsonObject): string[] {
  const isEmpty = (value: JsonValue) =>
    typeof value === "object" && value !== null && Object.keys(value).length === 0;
  return Object.entries(WITHOUT_EFFECT).flatMap(([key, without]) => {
    const value = config[key];
    if (value == null || without.includes(value) || isEmpty(value)) return [];
    return `${key} ${JSON.stringify(value).slice(0, 60)}`;
  });
}

function parse(text: string | undefined, origin: string): JsonObject {
  try {
    const parsed = JSON.parse(text ?? "{}") as JsonValue;
    if (isObject(parsed)) return parsed;
  } catch {
    // said below
  }
  throw invalid(origin, "it is no JSON object");
}

const invalid = (origin: string, problem: string) =>
  new StagecraftError("invalid_argument", `${origin}/${FILE}: ${problem}; mend the file`);
