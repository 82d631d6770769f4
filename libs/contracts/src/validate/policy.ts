import { SAMPLING_LIMITS } from "@stagecraft/core";
import type {
  Generation,
  GenerationInput,
  ModelDefaults,
  ScoreLogProbsRequest,
} from "../gen/stagecraft/policy/v1/policy.js";
import {
  checkAligned,
  checkLength,
  checkLogProbs,
  checkPresent,
  checkRange,
  invalidField,
} from "./check.js";
import {
  parseConversation,
  parseSampling,
  parseTokens,
  parseWeightVersion,
  type ChatMessage,
  type ParsedSampling,
  type ParsedWeights,
  type TokenLimits,
} from "./common.js";
import { finishReasonName, type FinishReasonName } from "./finish-reason.js";

/** A prompt as ids, as turns or as plain text, and how to continue it. */
export interface ParsedGenerationInput {
  prompt:
    | { kind: "tokens"; ids: Int32Array }
    | { kind: "conversation"; messages: ChatMessage[] }
    | { kind: "text"; text: string };
  sampling: ParsedSampling;
  minWeightVersion: number;
  /** So many of the likeliest tokens are told with each; undefined = none is asked for. */
  numTop?: number;
  /** The prompt is judged first; then the answer may be of no tokens. */
  echo: boolean;
  /** Fields of `sampling` that the model decides where it can. */
  modelDefaults: readonly ModelDefaultField[];
}

const MODEL_DEFAULTS = {
  temperature: "temperature",
  top_k: "topK",
  top_p: "topP",
  min_p: "minP",
  repetition_penalty: "repetitionPenalty",
  max_new_tokens: "maxNewTokens",
} as const satisfies Record<string, keyof ParsedSampling>;

/** Sampling parameters that a model can have defaults for. */
export type ModelDefaultField = (typeof MODEL_DEFAULTS)[keyof typeof MODEL_DEFAULTS];

/** The wire form of the fields that are left to the model. */
export function toModelDefaults(fields: readonly ModelDefaultField[]): ModelDefaults {
  const names = Object.entries(MODEL_DEFAULTS);
  return { fields: names.filter(([, name]) => fields.includes(name)).map(([key]) => key) };
}

function parseModelDefaults(given: ModelDefaults | undefined, field: string): ModelDefaultField[] {
  return (given?.fields ?? []).map((key, i) => {
    if (Object.hasOwn(MODEL_DEFAULTS, key))
      return MODEL_DEFAULTS[key as keyof typeof MODEL_DEFAULTS];
    const names = Object.keys(MODEL_DEFAULTS).join(", ");
    throw invalidField(`${field}.fields[${i}]`, key, `one of ${names}`);
  });
}

const MAX_TOP = 20;

/** Sequences with the number of their leading prompt tokens. */
export interface ParsedScoreLogProbs {
  sequences: { ids: Int32Array; promptLength: number }[];
  temperature: number;
}

/** A complete answer; the last three lists are aligned with `tokenIds`. */
export interface ParsedGeneration {
  promptIds: Int32Array;
  tokenIds: Int32Array;
  logProbs: Float32Array;
  weightVersions: Int32Array;
  text: string;
  finishReason: FinishReasonName;
  weights: ParsedWeights[];
}

/** Checks one generation input against the model's limits. */
export function parseGenerationInput(
  input: GenerationInput | undefined,
  field: string,
  limits: TokenLimits = {},
): ParsedGenerationInput {
  const { prompt, sampling, minWeightVersion, numTopLogProbs, echo, modelDefaults } = checkPresent(
    input,
    field,
  );
  const minNewTokens = echo ? 0 : 1;
  const numTop = numTopLogProbs;
  return {
    prompt: parsePrompt(checkPresent(prompt, `${field}.prompt`), field, limits),
    sampling: parseSampling(sampling, `${field}.sampling`, { ...limits, minNewTokens }),
    minWeightVersion,
    ...(numTop === undefined
      ? {}
      : { numTop: checkRange(numTop, `${field}.num_top_log_probs`, 0, MAX_TOP) }),
    echo: echo ?? false,
    modelDefaults: parseModelDefaults(modelDefaults, `${field}.model_defaults`),
  };
}

function parsePrompt(
  prompt: NonNullable<GenerationInput["prompt"]>,
  field: string,
  limits: TokenLimits,
): ParsedGenerationInput["prompt"] {
  if (prompt.$case === "tokens") {
    return { kind: "tokens", ids: parseTokens(prompt.value, `${field}.tokens`, limits) };
  }
  if (prompt.$case === "text") return { kind: "text", text: prompt.value };
  const messages = parseConversation(prompt.value, `${field}.conversation`);
  return { kind: "conversation", messages };
}

/** Checks sequences and prompt lengths: 1 ≤ prompt length ≤ sequence length. */
export function parseScoreLogProbsRequest(
  request: ScoreLogProbsRequest,
  limits: TokenLimits & { maxSequences: number },
): ParsedScoreLogProbs {
  const { sequences, promptLengths, temperature = 1 } = request;
  const { minTemperature, maxTemperature } = SAMPLING_LIMITS;
  checkLength(sequences, "sequences", 1, limits.maxSequences);
  checkAligned(promptLengths, "prompt_lengths", { length: sequences.length, like: "sequences" });
  return {
    temperature: checkRange(temperature, "temperature", minTemperature, maxTemperature),
    sequences: sequences.map((sequence, i) => {
      const ids = parseTokens(sequence, `sequences[${i}]`, limits);
      const promptLength = checkRange(promptLengths[i]!, `prompt_lengths[${i}]`, 1, ids.length);
      return { ids, promptLength };
    }),
  };
}

/** Checks an answer from a policy server: aligned lists, finite log-probs, known versions. */
export function parseGeneration(generation: Generation, field: string): ParsedGeneration {
  const { tokenIds, logProbs, weightVersions, weights } = generation;
  const aligned = { length: tokenIds.length, like: `${field}.token_ids` };
  checkAligned(logProbs, `${field}.log_probs`, aligned);
  checkAligned(weightVersions, `${field}.weight_versions`, aligned);
  return {
    promptIds: parseTokens({ ids: generation.promptIds }, `${field}.prompt`),
    tokenIds: parseTokens({ ids: tokenIds }, field),
    logProbs: checkLogProbs(logProbs, `${field}.log_probs`),
    weightVersions: Int32Array.from(weightVersions),
    text: generation.text,
    finishReason: finishReasonName(generation.finishReason, `${field}.finish_reason`),
    weights: weights.map((w, i) => parseWeightVersion(w, `${field}.weights[${i}]`)),
  };
}
