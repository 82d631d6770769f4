import { randomUUID } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { StagecraftError } from "@stagecraft/core";
import { silentLogger, type Logger } from "@stagecraft/telemetry";
import type { ApiScope } from "../http/api/index.js";
import { whenClosed } from "../http/when-closed.js";
import type { PolicyBackend, ServedModels } from "./backend.js";
import { chatFormat } from "./chat-format.js";
import { completionFormat } from "./completion-format.js";
import { refused, toErrorResponse } from "./errors.js";
import { chatChoices, completionChoices, type Choice } from "./generation-input.js";
import { bearerOf, checkScope, fixedKeys, type ApiCaller, type Authenticate } from "./keys.js";
import { createKeyUsage, type Admitted } from "./limits.js";
import { describeModel, listModels } from "./models.js";
import { MAX_CHOICES, parseChat, parseCompletion, type CommonRequest } from "./request-fields.js";
import { respond, type AnswerFormat } from "./respond.js";
import {
  classifyScores,
  embeddingScores,
  openRlhfScores,
  ownScores,
  selectReward,
  type ScoreFormat,
} from "./score.js";

export interface OpenAiOptions {
  models: ServedModels;
  /** Default: everybody may call. */
  authenticate?: Authenticate;
  logger?: Logger;
  /** Largest body, bytes; default 4 MiB. */
  bodyLimit?: number;
  /** Longest time for a request, ms; default 10 minutes. */
  timeoutMs?: number;
  /** A reader of a stream that takes nothing for so long is let go, ms; default 60 s. */
  stallMs?: number;
  /** Ends what is being answered, for a server that goes down. */
  signal?: AbortSignal;
}

const MIB = 1024 * 1024;

/** What the hooks keep of a request. */
interface Visit {
  id: string;
  caller: ApiCaller;
  admitted: Admitted;
}

/**
 * OpenAI's API as a fastify plugin: models, chats, completions, and scores of reward models. It stands in
 * an encapsulated context of its own; errors of its routes have OpenAI's shape.
 */
export function openAiApi(app: FastifyInstance, options: OpenAiOptions, done: () => void): void {
  const visits = new WeakMap<FastifyRequest, Visit>();
  const api = new Api(options, visits);
  const { logger = silentLogger() } = options;
  app.setErrorHandler((error, request, reply) => {
    const { status, body } = toErrorResponse(error);
    const { retryAfterSeconds: wait } = StagecraftError.from(error).details;
    if (status >= 500) logger.error({ err: error, url: request.url }, "a request failed");
    if (status === 429) void reply.header("retry-after", typeof wait === "number" ? wait : 1);
    return reply.code(status).send(body);
  });
  app.addHook("onRequest", async (request, reply) => {
    const id = `req_${randomUUID().replaceAll("-", "")}`;
    void reply.header("x-request-id", id);
    const caller = await api.authenticate(bearerOf(request.headers.authorization));
    const admitted = api.usage.enter(caller.name, caller.limits);
    visits.set(request, { id, caller, admitted });
    whenClosed(reply, () => admitted.leave());
  });
  const limits = { bodyLimit: options.bodyLimit ?? 4 * MIB };
  app.post("/v1/chat/completions", limits, (request, reply) => api.chat(request, reply));
  app.post("/v1/completions", limits, (request, reply) => api.completion(request, reply));
  app.get("/v1/models", () => listModels(options.models));
  app.get<{ Params: { "*": string } }>("/v1/models/*", ({ params }) =>
    describeModel(options.models, params["*"]),
  );
  const scores = (path: string, ...formats: ScoreFormat[]) =>
    app.post(path, limits, (request) => api.score(request, formats));
  scores("/v1/score", ownScores, openRlhfScores);
  scores("/get_reward", openRlhfScores);
  scores("/classify", classifyScores);
  scores("/v1/embeddings", embeddingScores);
  app.all("/v1/*", (request) => {
    const what = `${request.method} ${request.url.split("?")[0]!.slice(0, 200)}`;
    throw new StagecraftError("not_found", `there is no ${what} here`, {
      details: { apiCode: "unknown_url" },
    });
  });
  done();
}

class Api {
  readonly usage = createKeyUsage();
  readonly authenticate: Authenticate;

  constructor(
    private readonly options: OpenAiOptions,
    private readonly visits: WeakMap<FastifyRequest, Visit>,
  ) {
    this.authenticate = options.authenticate ?? fixedKeys([]);
  }

  async chat(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    this.check(request, "generate");
    const body = parseChat(request.body);
    const format = chatFormat(body.logprobs === true);
    return this.answer({ body, choices: chatChoices(body), format, request, reply });
  }

  async completion(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    this.check(request, "generate");
    const body = parseCompletion(request.body);
    const format = completionFormat({ withLogProbs: body.logprobs !== undefined });
    return this.answer({ body, choices: completionChoices(body), format, request, reply });
  }

  async score(request: FastifyRequest, formats: readonly ScoreFormat[]): Promise<object> {
    this.check(request, "score");
    const isForeign = typeof request.body === "object" && "query" in (request.body ?? {});
    const format = (isForeign && formats[1]) || formats[0]!;
    const { model, items, truncation } = format.parse(request.body);
    const found = selectReward(this.options.models.rewards(), model);
    if (!found) throw noModel(model, this.options.models.rewards().keys(), "reward model");
    const [servedAs, backend] = found;
    const batch = { model: { name: "", version: "" }, items, truncation };
    const answer = await backend.scoreBatch(batch, { timeoutMs: this.timeoutMs });
    const numTokens = answer.scores.reduce((sum, score) => sum + score.numTokens, 0);
    this.visits.get(request)!.admitted.spend(numTokens);
    return format.render({ ...answer, servedAs });
  }

  private check(request: FastifyRequest, scope: ApiScope): void {
    checkScope(this.visits.get(request)!.caller, scope);
  }

  private get timeoutMs(): number {
    return this.options.timeoutMs ?? 10 * 60_000;
  }

  private async answer(how: {
    body: CommonRequest;
    choices: Choice[];
    format: AnswerFormat;
    request: FastifyRequest;
    reply: FastifyReply;
  }): Promise<unknown> {
    const { body, choices, format, request, reply } = how;
    const backend = this.policy(body.model);
    if (choices.length > MAX_CHOICES) {
      const what = `n times the prompts is ${choices.length}, must be at most ${MAX_CHOICES}`;
      throw refused("n", what, "invalid_value");
    }
    const { id, admitted } = this.visits.get(request)!;
    const gone = new AbortController();
    const onClose = () => gone.abort(new StagecraftError("cancelled", "the caller has left"));
    const onStop = () =>
      gone.abort(new StagecraftError("unavailable", "the server is shutting down"));
    const stopWatching = whenClosed(reply, onClose);
    this.options.signal?.addEventListener("abort", onStop, { once: true });
    try {
      return await respond({
        ...{ request: body, choices, format, reply, backend, requestId: id },
        signal: gone.signal,
        timeoutMs: this.timeoutMs,
        stallMs: this.options.stallMs ?? 60_000,
        onUsage: ({ total_tokens: numTokens }) => admitted.spend(numTokens),
      });
    } finally {
      stopWatching();
      this.options.signal?.removeEventListener("abort", onStop);
    }
  }

  private policy(name: string): PolicyBackend {
    const policies = this.options.models.policies();
    const backend = policies.get(name);
    if (backend) return backend;
    throw noModel(name, policies.keys(), "model");
  }
}

function noModel(name: string, served: Iterable<string>, what: string): StagecraftError {
  const names = [...served];
  const there = names.length === 0 ? `no ${what} is served here` : `there is ${names.join(", ")}`;
  const reason = `there is no ${what} ${JSON.stringify(name.slice(0, 200))}; ${there}`;
  const details = { param: "model", apiCode: "model_not_found" };
  return new StagecraftError("not_found", reason, { details });
}
