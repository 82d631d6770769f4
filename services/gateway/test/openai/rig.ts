import type { reward } from "@stagecraft/contracts";
import { common, policy } from "@stagecraft/contracts";
import {
  fixedModels,
  startOpenAiServer,
  type OpenAiServerOptions,
} from "../../src/openai/index.js";
import type { PolicyBackend, RewardBackend } from "../../src/openai/index.js";

/** What an answer is made of; the last piece ends it. */
export type Piece = Partial<policy.GenerateResponse>;

/** A piece with one token for each letter of its text. */
export function piece(text: string, change: Piece = {}): policy.GenerateResponse {
  const letters = [...text];
  return policy.GenerateResponse.fromPartial({
    text,
    tokenIds: letters.map((letter) => letter.codePointAt(0)!),
    logProbs: letters.map(() => -0.5),
    weightVersions: letters.map(() => 3),
    ...change,
  });
}

export const WEIGHTS = [{ version: 3, sha256: "ab".repeat(32), step: 0n, sizeBytes: 0n }];
export const END: Piece = {
  finishReason: common.FinishReason.EOS,
  numPromptTokens: 4,
  weights: WEIGHTS,
};

/** A backend that answers everything by `answer`. */
export function backendOf(
  answer: (
    request: policy.GenerateRequest,
    signal: AbortSignal,
  ) => AsyncIterable<policy.GenerateResponse>,
): PolicyBackend {
  return {
    generate: (request, options) => answer(request, options!.signal!),
    getModelInfo: () => Promise.resolve({ info: undefined }),
  };
}

/** Says "Hé, 你好" in three pieces. */
export const greeter = backendOf(async function* () {
  yield piece("Hé", { weights: WEIGHTS });
  yield piece(", 你");
  yield piece("好", END);
});

/** Scores an item by its length. */
export const ruler: RewardBackend = {
  getModelInfo: () => Promise.resolve({ info: undefined }),
  scoreBatch: ({ items }) =>
    Promise.resolve({
      scores: items.map(({ input }) => ({
        value: input?.$case === "rendered" ? input.value.length : -1,
        uncertainty: 0,
        numTokens: 2,
        numTruncated: 0,
      })),
      model: "inside",
      modelVersion: "7",
    }),
};

/** A server on loopback with the model `m` and the reward model `r`. */
export async function serve(
  backend: PolicyBackend = greeter,
  options: Partial<OpenAiServerOptions> = {},
) {
  const server = await startOpenAiServer({
    models: fixedModels({ m: backend }, { r: ruler }),
    port: 0,
    graceMs: 0,
    ...options,
  });
  const post = (path: string, body: unknown, init: RequestInit = {}) =>
    fetch(`${server.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      ...init,
    });
  return { url: server.url, post, server, [Symbol.asyncDispose]: () => server.close() };
}

export const CHAT = { model: "m", messages: [{ role: "user", content: "Hi" }] };

/** An item of any request, for `reward` types in tests. */
export type Score = reward.Score;
