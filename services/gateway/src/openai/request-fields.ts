import { isRepetitionPenalty, isTemperature, MAX_LOGIT_BIAS } from "@stagecraft/core";
import { REPETITION_PENALTY_RANGE, TEMPERATURE_RANGE } from "@stagecraft/core";
import { z } from "zod";
import { refused } from "./errors.js";

/** Most answers that one request may ask for. */
export const MAX_CHOICES = 128;
/** Most likely tokens that are told with each token. */
const MAX_TOP = 20;

const bias = z
  .record(z.string().regex(/^\d{1,9}$/), z.number().min(-MAX_LOGIT_BIAS).max(MAX_LOGIT_BIAS))
  .refine((biases) => Object.keys(biases).length <= 1024, "at most 1024 tokens");

/** What chats and completions have in common. */
const sampling = {
  model: z.string().min(1).max(512),
  stream: z.boolean().optional(),
  stream_options: z
    .strictObject({
      include_usage: z.boolean().optional(),
      include_obfuscation: z.literal(false).optional(),
    })
    .optional(),
  n: z.int().min(1).max(MAX_CHOICES).optional(),
  stop: z
    .union([z.string().min(1).max(1024), z.array(z.string().min(1).max(1024)).max(64)], {
      error: "must be a text that is not empty, or a list of up to 64",
    })
    .optional(),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
  temperature: z.number().refine(isTemperature, `must be ${TEMPERATURE_RANGE}`).optional(),
  top_p: z.number().gt(0).max(1).optional(),
  max_tokens: z.int().min(0).optional(),
  frequency_penalty: z.number().min(-2).max(2).optional(),
  presence_penalty: z.number().min(-2).max(2).optional(),
  logit_bias: bias.optional(),
  user: z.string().max(512).optional(),
  service_tier: z.enum(["auto", "default"]).optional(),
  // Beyond OpenAI's, as vLLM names them.
  top_k: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .optional(),
  min_p: z.number().min(0).max(1).optional(),
  repetition_penalty: z
    .number()
    .refine(isRepetitionPenalty, `must be ${REPETITION_PENALTY_RANGE}`)
    .optional(),
};

const content = z.union(
  [z.string(), z.array(z.strictObject({ type: z.literal("text"), text: z.string() })).min(1)],
  { error: 'must be a text, or a list of {"type": "text", "text": …}; nothing else is read here' },
);

const chatSchema = z.strictObject({
  ...sampling,
  messages: z
    .array(
      z.strictObject({
        role: z.enum(["system", "developer", "user", "assistant"]),
        content,
        type: z.literal("text").optional(), // lm-eval's harness sends it
      }),
    )
    .min(1)
    .max(4096),
  max_completion_tokens: z.int().min(1).optional(),
  logprobs: z.boolean().optional(),
  top_logprobs: z.int().min(0).max(MAX_TOP).optional(),
  response_format: z.strictObject({ type: z.literal("text") }).optional(),
  modalities: z.array(z.literal("text")).length(1).optional(),
  store: z.literal(false).optional(),
});

type Prompts = string | string[] | number[] | number[][];

const isToken = (value: unknown) =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31;
const isList = (value: unknown, isItem: (item: unknown) => boolean, most = Infinity) =>
  Array.isArray(value) && value.length >= 1 && value.length <= most && value.every(isItem);

/** Looked at by hand: a schema for each token takes longer than the rest of a request together. */
const prompt = z.custom<Prompts>(
  (value) =>
    typeof value === "string" ||
    isList(value, isToken) ||
    isList(value, (text) => typeof text === "string", MAX_CHOICES) ||
    isList(value, (ids) => isList(ids, isToken), MAX_CHOICES),
  `must be a text, up to ${MAX_CHOICES} texts, token ids, or up to ${MAX_CHOICES} lists of them`,
);

const completionSchema = z.strictObject({
  ...sampling,
  prompt,
  echo: z.boolean().optional(),
  logprobs: z.int().min(0).max(MAX_TOP).optional(),
  best_of: z.int().min(1).optional(),
});

export type ChatRequest = z.infer<typeof chatSchema>;
export type CompletionRequest = z.infer<typeof completionSchema>;
export type CommonRequest = Pick<ChatRequest, keyof typeof sampling>;

/** Fields that OpenAI has and this server has not: refused by name as unsupported, not as unknown. */
const UNSUPPORTED = new Set(
  (
    "audio function_call functions metadata moderation parallel_tool_calls prediction " +
    "prompt_cache_key prompt_cache_retention reasoning_effort safety_identifier suffix " +
    "tool_choice tools verbosity web_search_options"
  ).split(" "),
);

/** The body of a chat; throws `invalid_argument` that names the field. */
export function parseChat(body: unknown): ChatRequest {
  const request = parseBody(chatSchema, body);
  if (request.max_tokens === 0) throw refused("max_tokens", "max_tokens must be 1 or more", BAD);
  if (request.max_tokens !== undefined && request.max_completion_tokens !== undefined) {
    const both = "max_tokens and max_completion_tokens are one limit: give one of them";
    throw refused("max_tokens", both, BAD);
  }
  if (request.top_logprobs !== undefined && request.logprobs !== true) {
    throw refused("top_logprobs", "top_logprobs needs logprobs: true", BAD);
  }
  return checkCommon(request);
}

/** The body of a completion. */
export function parseCompletion(body: unknown): CompletionRequest {
  const request = parseBody(completionSchema, body);
  const { best_of: bestOf, n = 1, max_tokens: maxTokens, echo } = request;
  if (bestOf !== undefined && bestOf !== n) {
    throw refused(
      "best_of",
      "best_of is not supported beside n: leave it out",
      "unsupported_value",
    );
  }
  if (maxTokens === 0 && !echo) {
    throw refused("max_tokens", "max_tokens may be 0 only with echo: true", BAD);
  }
  return checkCommon(request);
}

const BAD = "invalid_value";

function checkCommon<R extends CommonRequest>(request: R): R {
  if (request.stream_options !== undefined && request.stream !== true) {
    throw refused("stream_options", "stream_options needs stream: true", BAD);
  }
  return request;
}

/** A body under a schema; null stands for a field that is not given. Throws `invalid_argument`. */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw refused(null, "the request's body must be a JSON object", "invalid_body");
  }
  const parsed = schema.safeParse(withoutNulls(body));
  if (parsed.success) return parsed.data;
  throw issueError(parsed.error.issues[0]!, body);
}

function withoutNulls(value: object): object {
  const entries = Object.entries(value).filter(([, each]) => each !== null);
  return Object.fromEntries(
    entries.map(([key, each]) => [key, key === "messages" ? messagesWithoutNulls(each) : each]),
  );
}

function messagesWithoutNulls(messages: unknown): unknown {
  if (!Array.isArray(messages)) return messages;
  return messages.map((each: unknown) =>
    typeof each === "object" && each !== null && !Array.isArray(each) ? withoutNulls(each) : each,
  );
}

function issueError(issue: z.core.$ZodIssue, body: object) {
  const path = nameOf(issue.path);
  if (issue.code === "unrecognized_keys") {
    const key = issue.keys[0]!;
    const param = path === "" ? key : `${path}.${key}`;
    const shown = JSON.stringify(param.slice(0, 100));
    const known = path !== "" || UNSUPPORTED.has(key);
    return known
      ? refused(param, `${shown} is not supported here: leave it out`, "unsupported_parameter")
      : refused(param, `${shown} is no parameter of this request`, "unknown_parameter");
  }
  if (path !== "" && valueAt(body, issue.path) === undefined) {
    return refused(path, `${path} is missing, must be set`, "missing_required_parameter");
  }
  const apiCode =
    issue.code === "invalid_type"
      ? "invalid_type"
      : issue.code === "invalid_value"
        ? UNSUPPORTED_VALUE
        : BAD;
  return refused(path === "" ? null : path, `${path}: ${issue.message}`, apiCode);
}

const UNSUPPORTED_VALUE = "unsupported_value";

function nameOf(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "")
    .slice(0, 200);
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (value as Record<PropertyKey, unknown> | null | undefined)?.[key] ?? undefined,
    body,
  );
}
