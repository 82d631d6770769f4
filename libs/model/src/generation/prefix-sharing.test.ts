import { initEngine } from "@stagecraft/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { allowBatchRounding } from "../../test/batch-rounding.js";
import { randomIds, tinyConfig, tinyModel } from "../../test/tiny.js";
import type { Model } from "../model.js";
import {
  createGenerationEngine,
  type GenerationEngine,
  type GenerationEngineOptions,
  type GenerationEvent,
  type GenerationRequest,
} from "./generation-engine.js";

beforeAll(() => initEngine({ engine: "auto" }));
beforeAll(allowBatchRounding);

const config = tinyConfig("llama", { maxPositions: 128 });
const system = randomIds(23, 40, 1);
const after = (prefix: ArrayLike<number>, seed: number, length = 6) =>
  Int32Array.of(...Array.from(prefix), ...randomIds(23, length, seed));

function engineOf(model: Model, change: Partial<GenerationEngineOptions> = {}): GenerationEngine {
  return createGenerationEngine(model, { maxSequences: 8, ...change });
}

/** Adds requests and runs them to their end; one list of events each. */
async function answer(engine: GenerationEngine, requests: readonly GenerationRequest[]) {
  const answers = new Map<number, GenerationEvent[]>();
  for (const request of requests) answers.set(engine.add(request), []);
  while (engine.numActive + engine.numWaiting > 0) {
    for (const event of await engine.step()) answers.get(event.handle)?.push(event);
  }
  return [...answers.values()].map((events) =>
    events.map(({ id, logProb, weightVersion }) => ({ id, logProb, weightVersion })),
  );
}

/** The same requests, one by one and without any sharing. */
async function unshared(model: Model, requests: readonly GenerationRequest[], weightVersion = 0) {
  const engine = engineOf(model, { maxSequences: 1, sharePrefixes: false, weightVersion });
  const answers = await answer(engine, requests);
  expect(engine.numTokensShared).toBe(0);
  engine.close();
  return answers;
}

const sampled = (promptIds: Int32Array, seed: number, maxNewTokens = 6): GenerationRequest => ({
  promptIds,
  params: { seed, maxNewTokens },
});

describe("prefix sharing", () => {
  it("reads a prompt once for all its answers, at once or one after another, to the same bits", async () => {
    const model = tinyModel(config);
    const requests = [1, 2, 3, 4].map((seed) => sampled(system, seed));
    const expected = await unshared(model, requests);
    const together = engineOf(model);
    expect(await answer(together, requests)).toEqual(expected);
    expect(together.numTokensShared).toBe(3 * 39);
    const inTurn = engineOf(model);
    for (const [i, request] of requests.entries()) {
      expect(await answer(inTurn, [request])).toEqual([expected[i]]);
    }
    expect(inTurn.numTokensShared).toBe(3 * 39);
    // 40 once, then the last one for each; the last token of an answer is never read.
    expect(inTurn.numTokensRead).toBe(40 + 3 + 4 * 5);
    together.close();
    inTurn.close();
  });

  it("reads a common system prompt once, also when it is too long for a step", async () => {
    const model = tinyModel(config);
    const requests = [2, 3, 4].map((seed) => sampled(after(system, seed), seed));
    const expected = await unshared(model, requests);
    for (const maxPrefillTokens of [512, 7]) {
      const engine = engineOf(model, { maxPrefillTokens });
      expect(await answer(engine, requests)).toEqual(expected);
      expect(engine.numTokensShared).toBe(2 * 40);
      engine.close();
    }
  });

  it("goes on from the history of a conversation", async () => {
    const model = tinyModel(config);
    const first = sampled(system, 1);
    const [said] = await unshared(model, [first]);
    const history = Int32Array.of(...system, ...said!.map(({ id }) => id));
    const second = sampled(after(history, 9), 2);
    const engine = engineOf(model);
    await answer(engine, [first]);
    expect(await answer(engine, [second])).toEqual(await unshared(model, [second]));
    expect(engine.numTokensShared).toBe(history.length - 1); // its last token was never read
    engine.close();
  });

  it("uses nothing of old weights after a swap", async () => {
    const model = tinyModel(config);
    const fresh = tinyModel(config, { seed: 2 });
    const requests = [sampled(system, 1), sampled(after(system, 5), 2)];
    const engine = engineOf(model);
    await answer(engine, [sampled(system, 7)]);
    engine.setWeights(1, fresh.tensors());
    expect(await answer(engine, requests)).toEqual(await unshared(fresh, requests, 1));
    expect(engine.numTokensShared).toBe(40); // of the two new ones alone
    engine.close();
  });

  it("stays right when sequences are cancelled while others wait for what they read", async () => {
    const model = tinyModel(config);
    const requests = [2, 3].map((seed) => sampled(after(system, seed), seed));
    const engine = engineOf(model, { maxPrefillTokens: 7 });
    const reader = engine.add(sampled(after(system, 1), 1));
    const handles = requests.map((request) => engine.add(request));
    await engine.step();
    const step = engine.step();
    engine.cancel(reader);
    const events = await step;
    while (engine.numActive + engine.numWaiting > 0) events.push(...(await engine.step()));
    const expected = await unshared(model, requests);
    handles.forEach((handle, i) => {
      const own = events.filter((event) => event.handle === handle);
      expect(own).toMatchObject(expected[i]!);
    });
    engine.close();
  });
});

describe("maxTokens", () => {
  it("makes sequences wait until there is room for prompt and longest answer", async () => {
    const model = tinyModel(config);
    const requests = [1, 2, 3, 4].map((seed) => sampled(randomIds(23, 10, seed), seed, 10));
    const engine = engineOf(model, { maxTokens: 45 });
    const handles = requests.map((request) => engine.add(request));
    let most = 0;
    const seen = new Set<number>();
    while (engine.numActive + engine.numWaiting > 0) {
      for (const { handle } of await engine.step()) seen.add(handle);
      most = Math.max(most, engine.numActive);
    }
    expect(most).toBe(2); // 2 × 20 of 45
    expect([...seen]).toEqual(handles);
    engine.close();
  });

  it("gives leftovers up for their room, and refuses what can never fit", async () => {
    const model = tinyModel(config);
    const engine = engineOf(model, { maxTokens: 50 });
    await answer(engine, [sampled(system, 1, 6)]); // leaves 45 tokens behind
    await answer(engine, [sampled(randomIds(23, 10, 8), 2, 10)]); // its 20 push them out
    await answer(engine, [sampled(system, 3, 6)]);
    expect(engine.numTokensShared).toBe(0);
    expect(() => engine.add(sampled(system, 1, 11))).toThrow(/51 tokens, there is room for 50/);
    engine.close();
  });
});
