import { reward, toConversation } from "@stagecraft/contracts";
import { z } from "zod";
import type { RewardBackend } from "./backend.js";
import { refused } from "./errors.js";
import { parseBody } from "./request-fields.js";

const MAX_ITEMS = 256;
const message = z.strictObject({
  role: z.enum(["system", "user", "assistant"]),
  content: z.string(),
});
const messages = z.array(message).min(1).max(4096);
const text = z.string().min(1);
const texts = z.array(text).min(1).max(MAX_ITEMS);

const scoreSchema = z.strictObject({
  model: z.string().min(1),
  messages: messages.optional(),
  conversations: z.array(messages).min(1).max(MAX_ITEMS).optional(),
  input: z.union([text, texts], { error: "must be a rendered text, or a list of them" }).optional(),
  truncation: z.enum(["refuse", "keep_end"]).optional(),
});

/** OpenRLHF's remote reward model client, as of v0.11.0. */
const openRlhfSchema = z.strictObject({
  query: texts,
  prompts: z.array(z.string()).optional(),
  labels: z.array(z.unknown()).optional(),
});

/** verl's reward loop, as of 0.8.0.dev: vLLM's /classify and SGLang's /v1/embeddings. */
const verlSchema = z.strictObject({
  model: z.string().min(1),
  input: z.union([text, texts], { error: "must be a rendered text, or a list of them" }),
  activation: z.literal(false, { error: "must be false: scores are no probabilities" }).optional(),
  use_activation: z.literal(false).optional(),
  add_special_tokens: z.literal(false).optional(),
});

/** What to score and how, whoever asked. */
export interface ScoreRequest {
  /** Empty: the only one. */
  model: string;
  items: reward.ScoreInput[];
  truncation: reward.TruncationPolicy;
}

export interface ScoreAnswer extends reward.ScoreBatchResponse {
  /** The name it is served under. */
  servedAs: string;
}

/** One shape of request and its answer. */
export interface ScoreFormat {
  parse(body: unknown): ScoreRequest;
  render(answer: ScoreAnswer): object;
}

const rendered = (value: string): reward.ScoreInput => ({ input: { $case: "rendered", value } });
const listOf = (input: string | string[]) => (typeof input === "string" ? [input] : input);
const { REFUSE, KEEP_END } = reward.TruncationPolicy;

/** `/v1/score`: this server's own. */
export const ownScores: ScoreFormat = {
  parse(body) {
    const { model, messages: one, conversations, input, truncation } = parseBody(scoreSchema, body);
    const given = [one, conversations, input].filter((each) => each !== undefined);
    if (given.length !== 1) {
      const what = "give one of messages, conversations and input";
      throw refused("messages", what, given.length === 0 ? "missing_required_parameter" : BAD);
    }
    const talks = conversations ?? (one ? [one] : []);
    const items = talks.map((each, i): reward.ScoreInput => {
      if (each.at(-1)!.role !== "assistant") {
        const param = conversations ? `conversations[${i}]` : "messages";
        throw refused(param, `${param} must end with the assistant's answer, which is scored`, BAD);
      }
      return { input: { $case: "conversation", value: toConversation(each) } };
    });
    return {
      model,
      items: input === undefined ? items : listOf(input).map(rendered),
      truncation: truncation === "keep_end" ? KEEP_END : REFUSE,
    };
  },
  render: ({ scores, modelVersion, servedAs }) => ({
    object: "list",
    model: servedAs,
    model_version: modelVersion,
    data: scores.map(({ value, uncertainty, numTokens, numTruncated }, index) => ({
      object: "score",
      index,
      score: value,
      uncertainty,
      num_tokens: numTokens,
      num_truncated: numTruncated,
    })),
    usage: usageOf(scores),
  }),
};

const BAD = "invalid_value";

/** What OpenRLHF sends: whole renderings; a text that does not fit is refused, not cut. */
export const openRlhfScores: ScoreFormat = {
  parse: (body) => ({
    model: "",
    items: parseBody(openRlhfSchema, body).query.map(rendered),
    truncation: REFUSE,
  }),
  render: ({ scores }) => {
    const values = scores.map(({ value }) => value);
    return { rewards: values, scores: values, extra_logs: {} };
  },
};

const parseVerl = (body: unknown): ScoreRequest => {
  const { model, input } = parseBody(verlSchema, body);
  return { model, items: listOf(input).map(rendered), truncation: REFUSE };
};

/** What verl sends to vLLM. */
export const classifyScores: ScoreFormat = {
  parse: parseVerl,
  render: ({ scores, servedAs }) => ({
    object: "list",
    model: servedAs,
    data: scores.map(({ value }, index) => ({
      index,
      label: null,
      probs: [value],
      num_classes: 1,
    })),
    usage: usageOf(scores),
  }),
};

/** What verl sends to SGLang. */
export const embeddingScores: ScoreFormat = {
  parse: parseVerl,
  render: ({ scores, servedAs }) => ({
    object: "list",
    model: servedAs,
    data: scores.map(({ value }, index) => ({ object: "embedding", index, embedding: [value] })),
    usage: usageOf(scores),
  }),
};

function usageOf(scores: readonly reward.Score[]) {
  const tokens = scores.reduce((sum, { numTokens }) => sum + numTokens, 0);
  return { prompt_tokens: tokens, total_tokens: tokens };
}

/** The reward model a request means, by its name; without a name the only one. */
export function selectReward(
  rewards: ReadonlyMap<string, RewardBackend>,
  name: string,
): [string, RewardBackend] | undefined {
  if (name === "" && rewards.size === 1) return [...rewards][0]!;
  const backend = rewards.get(name);
  return backend && [name, backend];
}
