import { randomInt } from "node:crypto";
import type { common } from "@stagecraft/contracts";
import {
  toConversation,
  toModelDefaults,
  toSampling,
  type ModelDefaultField,
  type policy,
} from "@stagecraft/contracts";
import { deriveSeed } from "@stagecraft/core";
import type { ChatRequest, CommonRequest, CompletionRequest } from "./request-fields.js";

/** As many as the context has room for. */
const NO_LIMIT = 2 ** 31 - 1;
/** What OpenAI's completions have without max_tokens. */
const COMPLETION_TOKENS = 16;

/** One answer of a request. */
export interface Choice {
  index: number;
  /** Which of the request's prompts. */
  prompt: number;
  input: policy.GenerationInput;
}

/** The answers that a chat asks for: the first draws by the seed itself, the others by seeds of it. */
export function chatChoices(request: ChatRequest): Choice[] {
  const messages = request.messages.map(({ role, content }) => ({
    role: role === "developer" ? ("system" as const) : role,
    content: typeof content === "string" ? content : content.map(({ text }) => text).join(""),
  }));
  const limit = request.max_completion_tokens ?? request.max_tokens;
  const numTop = request.logprobs ? (request.top_logprobs ?? 0) : undefined;
  const prompt = { $case: "conversation", value: toConversation(messages) } as const;
  return choicesOf(request, [prompt], {
    ...{ limit: limit ?? NO_LIMIT, numTop },
    left: [...leftOut(request), ...(limit === undefined ? (["maxNewTokens"] as const) : [])],
  });
}

/** The answers that a completion asks for: those to one prompt stand together. */
export function completionChoices(request: CompletionRequest): Choice[] {
  const { echo, logprobs, max_tokens: limit = COMPLETION_TOKENS } = request;
  const numTop = logprobs ?? (echo ? 0 : undefined);
  return choicesOf(request, promptsOf(request.prompt), {
    limit,
    numTop,
    left: leftOut(request),
    ...(echo ? { echo } : {}),
  });
}

/** What the request does not say, and the model's generation_config.json may. */
function leftOut(request: CommonRequest): ModelDefaultField[] {
  const given = {
    temperature: request.temperature,
    topK: request.top_k,
    topP: request.top_p,
    minP: request.min_p,
    repetitionPenalty: request.repetition_penalty,
  };
  const fields = Object.entries(given) as [keyof typeof given, number | undefined][];
  return fields.flatMap(([field, value]) => (value === undefined ? [field] : []));
}

/** A completion's prompts, each a text or token ids. */
function promptsOf(prompt: CompletionRequest["prompt"]): Prompt[] {
  if (typeof prompt === "string") return [{ $case: "text", value: prompt }];
  if (typeof prompt[0] === "number")
    return [{ $case: "tokens", value: { ids: prompt as number[] } }];
  return (prompt as string[] | number[][]).map((each) =>
    typeof each === "string"
      ? { $case: "text", value: each }
      : { $case: "tokens", value: { ids: each } },
  );
}

type Prompt = NonNullable<policy.GenerationInput["prompt"]>;

interface ChoiceLimits {
  limit: number;
  numTop: number | undefined;
  /** What is left to the model. */
  left: readonly ModelDefaultField[];
  echo?: boolean;
}

function choicesOf(
  request: CommonRequest,
  prompts: readonly Prompt[],
  { limit, numTop, left, echo }: ChoiceLimits,
): Choice[] {
  const seed = request.seed ?? randomInt(2 ** 47);
  const perPrompt = request.n ?? 1;
  return prompts.flatMap((prompt, p) =>
    Array.from({ length: perPrompt }, (_, i) => ({
      index: p * perPrompt + i,
      prompt: p,
      input: {
        prompt,
        sampling: samplingOf(request, {
          maxNewTokens: Math.min(limit, NO_LIMIT),
          seed: i === 0 ? seed : deriveSeed(seed, "choice", i),
        }),
        minWeightVersion: 0,
        numTopLogProbs: numTop,
        echo,
        modelDefaults: toModelDefaults(left),
      },
    })),
  );
}

function samplingOf(
  request: CommonRequest,
  fixed: { maxNewTokens: number; seed: number },
): common.SamplingParams {
  const { stop = [], logit_bias: biases = {} } = request;
  return {
    ...toSampling({ ...fixed, stop: typeof stop === "string" ? [stop] : stop }),
    temperature: request.temperature,
    topK: request.top_k ?? 0,
    topP: request.top_p,
    minP: request.min_p ?? 0,
    repetitionPenalty: request.repetition_penalty,
    frequencyPenalty: request.frequency_penalty,
    presencePenalty: request.presence_penalty,
    logitBias: Object.entries(biases).map(([id, bias]) => ({ tokenId: Number(id), bias })),
  };
}
