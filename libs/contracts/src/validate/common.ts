import {
  isAnswerPenalty,
  isRepetitionPenalty,
  isTemperature,
  MAX_LOGIT_BIAS,
  REPETITION_PENALTY_RANGE,
  TEMPERATURE_RANGE,
} from "@stagecraft/core";
import {
  Role,
  type Conversation,
  type LogitBias,
  type SamplingParams,
  type TokenSequence,
  type WeightVersion,
} from "../gen/stagecraft/common/v1/common.js";
import {
  checkFinite,
  checkLength,
  checkPresent,
  checkRange,
  checkSafeInteger,
  invalidField,
} from "./check.js";

/** One turn of a conversation, as the libraries spell it. */
export interface ChatMessage {
  role: "system" | "user" | "assistant";
  content: string;
}

/** Sampling parameters with every default filled in. */
export interface ParsedSampling {
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  repetitionPenalty: number;
  maxNewTokens: number;
  stop: string[];
  seed: number;
  /** Absent: none. */
  logitBias?: { id: number; bias: number }[];
  /** Absent: 0. */
  frequencyPenalty?: number;
  /** Absent: 0. */
  presencePenalty?: number;
}

/** What `toSampling` needs; the rest takes the defaults of the proto. */
export type SamplingInput = Partial<ParsedSampling> & Pick<ParsedSampling, "maxNewTokens" | "seed">;

/** A named set of weights; version 0 is what a server was started with. */
export interface ParsedWeights {
  version: number;
  sha256: string;
  step: number;
}

/** What a reader of token ids can take. */
export interface TokenLimits {
  vocabSize?: number;
  minLength?: number;
  maxLength?: number;
}

const ROLES = new Map<Role, ChatMessage["role"]>([
  [Role.SYSTEM, "system"],
  [Role.USER, "user"],
  [Role.ASSISTANT, "assistant"],
]);
const ROLE_VALUES = { system: Role.SYSTEM, user: Role.USER, assistant: Role.ASSISTANT } as const;
const MAX_MESSAGES = 4096;
const MAX_STOPS = 64;
const MAX_BIASES = 1024;
const MAX_INT32 = 2 ** 31 - 1;

/** Turns with known roles; at least one. */
export function parseConversation(
  conversation: Conversation | undefined,
  field: string,
): ChatMessage[] {
  const { messages } = checkPresent(conversation, field);
  checkLength(messages, `${field}.messages`, 1, MAX_MESSAGES);
  return messages.map(({ role, content }, index) => {
    const name = ROLES.get(role);
    if (name) return { role: name, content };
    throw invalidField(`${field}.messages[${index}].role`, role, "SYSTEM, USER or ASSISTANT");
  });
}

/** The wire form of a conversation. */
export function toConversation(messages: readonly ChatMessage[]): Conversation {
  return { messages: messages.map((m) => ({ role: ROLE_VALUES[m.role], content: m.content })) };
}

/** Token ids as a fresh Int32Array; each below the vocabulary size if one is given. */
export function parseTokens(
  sequence: TokenSequence | undefined,
  field: string,
  { vocabSize = MAX_INT32, minLength = 1, maxLength }: TokenLimits = {},
): Int32Array {
  const { ids } = checkPresent(sequence, field);
  checkLength(ids, `${field}.ids`, minLength, maxLength);
  const parsed = new Int32Array(ids.length);
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    if (id >= vocabSize) {
      throw invalidField(`${field}.ids[${i}]`, id, `below the vocabulary size ${vocabSize}`);
    }
    parsed[i] = id;
  }
  return parsed;
}

/** The wire form of token ids. */
export function toTokens(ids: ArrayLike<number>): TokenSequence {
  return { ids: Array.from(ids) };
}

/** Limits on sampling that depend on who asks. */
export interface SamplingLimits {
  vocabSize?: number;
  /** Fewest new tokens; default 1. */
  minNewTokens?: number;
}

/** Checks ranges and fills in defaults; what is younger than stored tasks is absent when it is off. */
export function parseSampling(
  params: SamplingParams | undefined,
  field: string,
  { vocabSize, minNewTokens = 1 }: SamplingLimits = {},
): ParsedSampling {
  const p = checkPresent(params, field);
  return {
    temperature: checkTemperature(p.temperature ?? 1, `${field}.temperature`),
    topK: p.topK,
    topP: checkPositive(checkRange(p.topP ?? 1, `${field}.top_p`, 0, 1), `${field}.top_p`),
    minP: checkRange(p.minP, `${field}.min_p`, 0, 1),
    repetitionPenalty: checkPenalty(p.repetitionPenalty ?? 1, `${field}.repetition_penalty`),
    maxNewTokens: checkRange(p.maxNewTokens, `${field}.max_new_tokens`, minNewTokens, MAX_INT32),
    stop: parseStops(p.stop, `${field}.stop`),
    seed: checkSafeInteger(p.seed, `${field}.seed`),
    ...parseLogitBias(p.logitBias, `${field}.logit_bias`, vocabSize),
    ...parseAnswerPenalty("frequencyPenalty", p.frequencyPenalty, `${field}.frequency_penalty`),
    ...parseAnswerPenalty("presencePenalty", p.presencePenalty, `${field}.presence_penalty`),
  };
}

/** The wire form of sampling parameters. */
export function toSampling(input: SamplingInput): SamplingParams {
  return {
    temperature: input.temperature,
    topK: input.topK ?? 0,
    topP: input.topP,
    minP: input.minP ?? 0,
    repetitionPenalty: input.repetitionPenalty,
    maxNewTokens: input.maxNewTokens,
    stop: input.stop ?? [],
    seed: BigInt(input.seed),
    logitBias: (input.logitBias ?? []).map(({ id: tokenId, bias }) => ({ tokenId, bias })),
    frequencyPenalty: input.frequencyPenalty,
    presencePenalty: input.presencePenalty,
  };
}

/** A weight version whose hash, if any, looks like a sha256. */
export function parseWeightVersion(
  weights: WeightVersion | undefined,
  field: string,
): ParsedWeights {
  const { version, sha256, step } = checkPresent(weights, field);
  if (sha256 !== "" && !/^[0-9a-f]{64}$/.test(sha256)) {
    throw invalidField(`${field}.sha256`, sha256, "64 hex digits or empty");
  }
  checkRange(version, `${field}.version`, 0, MAX_INT32);
  return { version, sha256, step: checkSafeInteger(step, `${field}.step`) };
}

function parseStops(stop: readonly string[], field: string): string[] {
  checkLength(stop, field, 0, MAX_STOPS);
  return stop.map((text, index) => checkLength(text, `${field}[${index}]`, 1, 1024));
}

function parseLogitBias(
  biases: readonly LogitBias[],
  field: string,
  vocabSize = MAX_INT32,
): Pick<ParsedSampling, "logitBias"> {
  if (biases.length === 0) return {};
  checkLength(biases, field, 0, MAX_BIASES);
  const seen = new Set<number>();
  const logitBias = biases.map(({ tokenId: id, bias }, i) => {
    if (id >= vocabSize) {
      throw invalidField(`${field}[${i}].token_id`, id, `below the vocabulary size ${vocabSize}`);
    }
    if (seen.has(id))
      throw invalidField(`${field}[${i}].token_id`, id, "another than those before");
    seen.add(id);
    return { id, bias: checkRange(bias, `${field}[${i}].bias`, -MAX_LOGIT_BIAS, MAX_LOGIT_BIAS) };
  });
  return { logitBias };
}

function parseAnswerPenalty<K extends "frequencyPenalty" | "presencePenalty">(
  name: K,
  value: number | undefined,
  field: string,
): { [P in K]?: number } {
  if (value === undefined || value === 0) return {};
  if (isAnswerPenalty(value)) return { [name]: value } as { [P in K]?: number };
  throw invalidField(field, value, "from -2 to 2");
}

function checkTemperature(value: number, field: string): number {
  if (isTemperature(value)) return value;
  throw invalidField(field, value, TEMPERATURE_RANGE);
}

function checkPenalty(value: number, field: string): number {
  if (isRepetitionPenalty(value)) return value;
  throw invalidField(field, value, REPETITION_PENALTY_RANGE);
}

function checkPositive(value: number, field: string): number {
  if (checkFinite(value, field) > 0) return value;
  throw invalidField(field, value, "above 0");
}
