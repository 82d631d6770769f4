import {
  isRepetitionPenalty,
  isTemperature,
  REPETITION_PENALTY_RANGE,
  TEMPERATURE_RANGE,
} from "@stagecraft/core";
import {
  Role,
  type Conversation,
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

/** Checks ranges and fills in defaults. */
export function parseSampling(params: SamplingParams | undefined, field: string): ParsedSampling {
  const p = checkPresent(params, field);
  return {
    temperature: checkTemperature(p.temperature ?? 1, `${field}.temperature`),
    topK: p.topK,
    topP: checkPositive(checkRange(p.topP ?? 1, `${field}.top_p`, 0, 1), `${field}.top_p`),
    minP: checkRange(p.minP, `${field}.min_p`, 0, 1),
    repetitionPenalty: checkPenalty(p.repetitionPenalty ?? 1, `${field}.repetition_penalty`),
    maxNewTokens: checkRange(p.maxNewTokens, `${field}.max_new_tokens`, 1, MAX_INT32),
    stop: parseStops(p.stop, `${field}.stop`),
    seed: checkSafeInteger(p.seed, `${field}.seed`),
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
