import type { policy } from "@stagecraft/contracts";
import { describe, expect, it } from "vitest";
import { fixedKeys } from "../../src/openai/index.js";
import { createKeyUsage } from "../../src/openai/limits.js";
import { backendOf, CHAT, END, piece, serve, WEIGHTS } from "./rig.js";

interface Failure {
  error: { message: string; type: string; param: string | null; code: string };
}

/** Keeps what it was asked, and answers with one letter. */
function recorder() {
  const asked: policy.GenerationInput[] = [];
  const backend = backendOf(async function* ({ input }) {
    asked.push(input!);
    await Promise.resolve();
    const detail = { bytes: Buffer.from([0xc3]), special: false, top: [] };
    yield piece("a", { ...END, details: [detail], weights: WEIGHTS });
  });
  return { asked, backend };
}

describe("what a request asks for", () => {
  it("reaches the model, every field", async () => {
    const { asked, backend } = recorder();
    await using rig = await serve(backend);
    const sampling = { temperature: 0.5, top_p: 0.9, frequency_penalty: 1, presence_penalty: -1 };
    const more = { top_k: 4, min_p: 0.1, repetition_penalty: 1.2, logit_bias: { 7: -5 } };
    const body = { ...CHAT, ...sampling, ...more, seed: 5, max_completion_tokens: 9, stop: "x" };
    const response = await rig.post("/v1/chat/completions", { ...body, n: 2, user: null });
    const answer = (await response.json()) as { choices: unknown[]; usage: object };
    expect(answer).toMatchObject({
      object: "chat.completion",
      model: "m",
      system_fingerprint: "v3-abababababab",
      usage: { prompt_tokens: 4, completion_tokens: 2, total_tokens: 6 },
    });
    expect(answer.choices).toHaveLength(2);
    expect(asked[0]).toMatchObject({
      sampling: {
        temperature: 0.5,
        topP: 0.9,
        topK: 4,
        minP: 0.1,
        repetitionPenalty: 1.2,
        frequencyPenalty: 1,
        presencePenalty: -1,
        logitBias: [{ tokenId: 7, bias: -5 }],
        maxNewTokens: 9,
        stop: ["x"],
        seed: 5n,
      },
    });
    expect(asked[0]!.numTopLogProbs).toBeUndefined();
    expect(asked[1]!.sampling!.seed).not.toBe(5n);
  });

  it("leaves to the model what it does not say", async () => {
    const { asked, backend } = recorder();
    await using rig = await serve(backend);
    await rig.post("/v1/chat/completions", { ...CHAT, top_p: 0.9 });
    await rig.post("/v1/chat/completions", { ...CHAT, temperature: 1, top_k: 0, max_tokens: 3 });
    await rig.post("/v1/completions", { model: "m", prompt: "a", min_p: 0, repetition_penalty: 1 });
    expect(asked.map(({ modelDefaults }) => modelDefaults!.fields)).toEqual([
      ["temperature", "top_k", "min_p", "repetition_penalty", "max_new_tokens"],
      ["top_p", "min_p", "repetition_penalty"],
      ["temperature", "top_k", "top_p"],
    ]);
  });

  it("takes prompts as a text, texts, token ids, and lists of them", async () => {
    const { asked, backend } = recorder();
    await using rig = await serve(backend);
    for (const [prompt, cases] of [
      ["ab", ["text"]],
      [
        ["a", "b"],
        ["text", "text"],
      ],
      [[5, 6], ["tokens"]],
      [
        [[5], [6, 7]],
        ["tokens", "tokens"],
      ],
    ] as const) {
      asked.length = 0;
      const response = await rig.post("/v1/completions", { model: "m", prompt });
      const { choices } = (await response.json()) as { choices: { index: number }[] };
      expect(asked.map((input) => input.prompt!.$case)).toEqual(cases);
      expect(choices.map(({ index }) => index)).toEqual(cases.map((_, i) => i));
    }
    expect(asked[1]!.sampling!.maxNewTokens).toBe(16);
  });

  it("spells half a character as its bytes", async () => {
    await using rig = await serve(recorder().backend);
    const body = { model: "m", prompt: "a", logprobs: 0 };
    const response = await rig.post("/v1/completions", body);
    expect(await response.json()).toMatchObject({
      choices: [{ logprobs: { tokens: ["bytes:\\xc3"], token_logprobs: [-0.5] } }],
    });
  });
});

describe("what is refused", () => {
  const bad: [string, object, string, string][] = [
    ["chat/completions", { tools: [] }, "tools", "unsupported_parameter"],
    [
      "chat/completions",
      { response_format: { type: "json_object" } },
      "response_format.type",
      "unsupported_value",
    ],
    ["chat/completions", { temprature: 1 }, "temprature", "unknown_parameter"],
    ["chat/completions", { temperature: "1" }, "temperature", "invalid_type"],
    ["chat/completions", { temperature: -1 }, "temperature", "invalid_value"],
    ["chat/completions", { messages: undefined }, "messages", "missing_required_parameter"],
    ["chat/completions", { messages: [] }, "messages", "invalid_value"],
    [
      "chat/completions",
      { messages: [{ role: "tool", content: "" }] },
      "messages[0].role",
      "unsupported_value",
    ],
    ["chat/completions", { top_logprobs: 2 }, "top_logprobs", "invalid_value"],
    [
      "chat/completions",
      { max_tokens: 1, max_completion_tokens: 1 },
      "max_tokens",
      "invalid_value",
    ],
    ["chat/completions", { stream_options: {} }, "stream_options", "invalid_value"],
    ["completions", { suffix: "x" }, "suffix", "unsupported_parameter"],
    ["completions", { best_of: 2 }, "best_of", "unsupported_value"],
    ["completions", { prompt: [1, "a"] }, "prompt", "invalid_value"],
    ["completions", { prompt: [[1], []] }, "prompt", "invalid_value"],
    ["completions", { prompt: [1, 2 ** 31] }, "prompt", "invalid_value"],
    ["completions", { prompt: undefined }, "prompt", "missing_required_parameter"],
    ["completions", { logprobs: true }, "logprobs", "invalid_type"],
    ["completions", { n: 128, prompt: ["a", "b"] }, "n", "invalid_value"],
    ["completions", { model: "other" }, "model", "model_not_found"],
  ];
  for (const [path, change, param, code] of bad) {
    it(`${Object.keys(change).join()} of ${path}: ${code} for ${param}`, async () => {
      await using rig = await serve();
      const base = path === "completions" ? { model: "m", prompt: "a" } : CHAT;
      const response = await rig.post(`/v1/${path}`, { ...base, ...change });
      expect(response.status).toBe(code === "model_not_found" ? 404 : 400);
      const { error } = (await response.json()) as Failure;
      expect(error).toMatchObject({ type: "invalid_request_error", param, code });
      expect(error.message).toContain(param.split(/[.[]/)[0]);
    });
  }

  it("tells nothing of what failed inside", async () => {
    await using rig = await serve(
      backendOf(() => {
        throw new Error("secret path /etc/x");
      }),
    );
    const response = await rig.post("/v1/chat/completions", CHAT);
    expect(response.status).toBe(500);
    expect(JSON.stringify(await response.json())).not.toContain("secret");
  });
});

describe("API keys", () => {
  it("are asked for by every route but /health, and limits count by them", async () => {
    const authenticate = fixedKeys(["right"], { requestsPerMinute: 2 });
    await using rig = await serve(undefined, { authenticate });
    const ask = (key: string) =>
      fetch(`${rig.url}/v1/models`, { headers: key ? { authorization: `Bearer ${key}` } : {} });
    for (const key of ["", "wrong"]) {
      const response = await ask(key);
      expect(response.status).toBe(401);
      expect(((await response.json()) as Failure).error.code).toBe("invalid_api_key");
    }
    expect((await fetch(`${rig.url}/health`)).status).toBe(200);
    expect([(await ask("right")).status, (await ask("right")).status]).toEqual([200, 200]);
    const third = await ask("right");
    expect(third.status).toBe(429);
    expect(Number(third.headers.get("retry-after"))).toBeGreaterThan(1);
  });

  it("limit tokens, and requests at the same time, until there is room again", () => {
    let now = 0;
    const usage = createKeyUsage(() => now);
    const first = usage.enter("a", { tokensPerMinute: 5, concurrent: 1 });
    expect(() => usage.enter("a", { concurrent: 1 })).toThrow("1 requests at the same time");
    first.spend(5);
    first.leave();
    expect(() => usage.enter("a", { tokensPerMinute: 5 })).toThrow("5 tokens a minute");
    usage.enter("b", { tokensPerMinute: 5 }).leave();
    now = 60_000;
    usage.enter("a", { tokensPerMinute: 5, concurrent: 1 }).leave();
  });
});

describe("scores", () => {
  const text = "<|user|>Hi";
  it("have the shapes that each client reads", async () => {
    await using rig = await serve();
    const ask = async (path: string, body: object) => (await rig.post(path, body)).json();
    const openRlhf = { query: [text, "abc"], prompts: ["", ""], labels: ["", null] };
    const rewards = { rewards: [10, 3], scores: [10, 3], extra_logs: {} };
    expect(await ask("/get_reward", openRlhf)).toEqual(rewards);
    expect(await ask("/v1/score", openRlhf)).toEqual(rewards);
    const verl = { model: "r", input: text };
    expect(await ask("/classify", { ...verl, activation: false })).toMatchObject({
      data: [{ probs: [10] }],
    });
    expect(await ask("/v1/embeddings", verl)).toMatchObject({ data: [{ embedding: [10] }] });
    expect(await ask("/v1/score", { model: "r", input: [text] })).toMatchObject({
      model: "r",
      model_version: "7",
      data: [{ score: 10, num_tokens: 2 }],
      usage: { total_tokens: 2 },
    });
  });

  it("refuse a conversation that does not end with an answer, and probabilities", async () => {
    await using rig = await serve();
    const open = await rig.post("/v1/score", { ...CHAT, model: "r" });
    expect(((await open.json()) as Failure).error).toMatchObject({ param: "messages" });
    const probable = await rig.post("/classify", { model: "r", input: "a", activation: true });
    expect(((await probable.json()) as Failure).error.param).toBe("activation");
    const policyName = await rig.post("/v1/score", { model: "m", input: "a" });
    expect(policyName.status).toBe(404);
  });
});
