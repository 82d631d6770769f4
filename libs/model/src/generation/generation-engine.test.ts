import { f32 } from "@stagecraft/checkpoint";
import { initEngine } from "@stagecraft/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { allowBatchRounding } from "../../test/batch-rounding.js";
import { randomIds, tinyConfig, tinyModel } from "../../test/tiny.js";
import { generate } from "./generate.js";
import { createDecoder } from "./decoder.js";
import {
  createGenerationEngine,
  type GenerationEngine,
  type GenerationEvent,
} from "./generation-engine.js";

beforeAll(async () => {
  await initEngine({ engine: "auto" });
  allowBatchRounding();
});

const config = tinyConfig("llama");
const prompt = (seed: number, length = 4) => randomIds(23, length, seed);

async function drain(engine: GenerationEngine): Promise<GenerationEvent[]> {
  const events: GenerationEvent[] = [];
  while (engine.numActive + engine.numWaiting > 0) events.push(...(await engine.step()));
  return events;
}

/** Writes every token as its number behind a space. */
function numbersTokenizer() {
  const streamDecoder = () => ({ push: (id: number) => ` ${id}`, flush: () => "" });
  return { streamDecoder, endIds: [], hasToken: () => true };
}

const idsOf = (events: readonly GenerationEvent[], handle: number) =>
  events.filter((event) => event.handle === handle).map(({ id }) => id);

describe("createGenerationEngine()", () => {
  it("lets sequences join and leave without changing anybody's answer", async () => {
    const model = tinyModel(config);
    const params = [5, 9, 3, 7].map((maxNewTokens, seed) => ({ maxNewTokens, seed }));
    const prompts = params.map((_, i) => prompt(i));
    const alone = await generate(model, prompts, params, { batchSize: 1 });
    const engine = createGenerationEngine(model, { maxSequences: 2, maxTokensPerStep: 1 });
    const handles = [0, 1].map((i) => engine.add({ promptIds: prompts[i]!, params: params[i]! }));
    const events = [...(await engine.step()), ...(await engine.step())];
    for (const i of [2, 3]) {
      handles.push(engine.add({ promptIds: prompts[i]!, params: params[i]! }));
    }
    expect([engine.numActive, engine.numWaiting]).toEqual([2, 2]);
    events.push(...(await drain(engine)));
    handles.forEach((handle, i) => expect(idsOf(events, handle)).toEqual([...alone[i]!.ids]));
    expect(events.filter(({ finishReason }) => finishReason)).toHaveLength(4);
    expect(events.map(({ handle, index }) => `${handle}.${index}`)).toHaveLength(5 + 9 + 3 + 7);
    engine.close();
  });

  it("frees the slot of a cancelled request at once, also during a step", async () => {
    const model = tinyModel(config);
    const engine = createGenerationEngine(model, { maxSequences: 1 });
    const params = { maxNewTokens: 20 };
    const first = engine.add({ promptIds: prompt(1), params });
    const second = engine.add({ promptIds: prompt(2), params });
    const third = engine.add({ promptIds: prompt(3), params: { maxNewTokens: 2 } });
    await engine.step();
    expect(engine.cancel(first)).toBe(true);
    expect(engine.cancel(first)).toBe(false);
    const step = engine.step();
    expect(engine.cancel(second)).toBe(true);
    expect(await step).toEqual([]);
    const events = await drain(engine);
    expect(idsOf(events, third)).toHaveLength(2);
    const [alone] = await generate(model, [prompt(3)], [{ maxNewTokens: 2 }]);
    expect(idsOf(events, third)).toEqual([...alone!.ids]);
    engine.close();
  });

  it("stamps tokens with the version that drew them, exactly as that version would", async () => {
    const old = tinyModel(config, { seed: 1 });
    const fresh = tinyModel(config, { seed: 2 });
    const model = tinyModel(config, { seed: 1 });
    const engine = createGenerationEngine(model, {
      maxSequences: 2,
      weightVersion: 7,
      maxTokensPerStep: 1,
    });
    const promptIds = prompt(1);
    engine.add({ promptIds, params: { temperature: 0, maxNewTokens: 8 } });
    const events = [...(await engine.step()), ...(await engine.step()), ...(await engine.step())];
    engine.setWeights(8, fresh.tensors());
    expect(engine.weightVersion).toBe(8);
    events.push(...(await drain(engine)));
    expect(events.map(({ weightVersion }) => weightVersion)).toEqual([7, 7, 7, 8, 8, 8, 8, 8]);
    const greedy = { temperature: 0, maxNewTokens: 3 };
    const [before] = await generate(old, [promptIds], greedy);
    const ids = events.map(({ id }) => id);
    expect(ids.slice(0, 3)).toEqual([...before!.ids]);
    const [after] = await generate(fresh, [Int32Array.of(...promptIds, ...ids.slice(0, 3))], {
      temperature: 0,
      maxNewTokens: 5,
    });
    expect(ids.slice(3)).toEqual([...after!.ids]);
    events
      .slice(3)
      .forEach(({ logProb }, i) => expect(logProb).toBeCloseTo(after!.logProbs[i]!, 4));
    engine.close();
  });

  it("refuses weights that do not fit and goes on with the old ones", async () => {
    const model = tinyModel(config);
    const engine = createGenerationEngine(model, { maxSequences: 1 });
    const bad = new Map([["x", f32([1], new Float32Array(1))]]);
    expect(() => engine.setWeights(1, bad)).toThrow("another architecture");
    expect(engine.weightVersion).toBe(0);
    engine.add({ promptIds: prompt(1), params: { maxNewTokens: 2 } });
    expect((await drain(engine)).map(({ weightVersion }) => weightVersion)).toEqual([0, 0]);
    engine.close();
  });

  it("reads prompts in the order they came, so many tokens a step, long ones in parts", async () => {
    const engine = createGenerationEngine(tinyModel(config), {
      maxSequences: 4,
      maxPrefillTokens: 10,
    });
    const params = { maxNewTokens: 4 };
    const handles = [8, 12, 6, 2].map((length) =>
      engine.add({ promptIds: prompt(length, length), params }),
    );
    const firstSeen = new Map<number, number>();
    for (let step = 0; engine.numActive + engine.numWaiting > 0; step++) {
      for (const { handle, index } of await engine.step()) {
        if (index === 0) firstSeen.set(handle, step);
      }
    }
    // 8 and 2 of the 12 in the first step, the other 10 in the second, then 6 and 2.
    expect(handles.map((handle) => firstSeen.get(handle))).toEqual([0, 1, 2, 2]);
    engine.close();
  });

  it("gives running answers a token in every step while a long prompt is read", async () => {
    const model = tinyModel(config);
    const engine = createGenerationEngine(model, {
      maxSequences: 2,
      maxPrefillTokens: 5,
      maxTokensPerStep: 1,
    });
    const running = engine.add({ promptIds: prompt(1), params: { maxNewTokens: 12 } });
    await engine.step();
    const long = engine.add({ promptIds: prompt(2, 24), params: { maxNewTokens: 2 } });
    const steps: number[][] = [];
    while (engine.numActive + engine.numWaiting > 0) {
      steps.push((await engine.step()).map(({ handle }) => handle));
    }
    expect(steps.slice(0, 5)).toEqual([
      [running],
      [running],
      [running],
      [running],
      [running, long], // 24 tokens at 5 a step
    ]);
    expect(steps.filter((handles) => handles.includes(running))).toHaveLength(11);
    engine.close();
  });

  it("reads a prompt once for all its answers, which stay what they are alone", async () => {
    const model = tinyModel(config);
    const params = [1, 2, 3, 4].map((seed) => ({ seed, maxNewTokens: 6 }));
    const prompts = [prompt(1, 9), prompt(1, 9), prompt(2, 9), prompt(1, 9)];
    const alone = await generate(model, prompts, params, { batchSize: 1 });
    // Room for two prompts of nine tokens in the first step, not for four.
    const engine = createGenerationEngine(model, { maxSequences: 4, maxPrefillTokens: 18 });
    const handles = prompts.map((promptIds, i) => engine.add({ promptIds, params: params[i]! }));
    const events = await engine.step();
    expect(events).toHaveLength(4);
    events.push(...(await drain(engine)));
    handles.forEach((handle, i) => expect(idsOf(events, handle)).toEqual([...alone[i]!.ids]));
    engine.close();
  });

  it("draws several tokens in a step and the same bits as one by one, whatever ends an answer", async () => {
    const model = tinyModel(config);
    const tokenizer = numbersTokenizer();
    const params = Array.from({ length: 6 }, (_, seed) => ({ seed, maxNewTokens: 20 + 7 * seed }));
    const [plain] = await generate(model, [prompt(0)], [params[0]!]);
    const special = [
      { ...params[1]!, temperature: 0 },
      { ...params[2]!, topK: 5, topP: 0.9 },
      { ...params[0]!, stop: [` ${plain!.ids[8]!} ${plain!.ids[9]!}`] },
    ];
    const requests = [
      ...params.map((each, i) => ({ promptIds: prompt(i), params: each })),
      ...special.map((each, i) => ({ promptIds: prompt(i === 2 ? 0 : i), params: each })),
      { promptIds: prompt(0), params: params[0]!, endIds: [plain!.ids[12]!] },
    ];
    const answersBy = async (maxTokensPerStep: number) => {
      const options = { maxSequences: 6, maxTokensPerStep, maxTurnMs: Infinity, tokenizer };
      const engine = createGenerationEngine(model, options);
      const handles = requests.map((request) => engine.add(request));
      const events: GenerationEvent[] = [];
      let numSteps = 0;
      while (engine.numActive + engine.numWaiting > 0) {
        numSteps++;
        events.push(...(await engine.step()));
      }
      engine.close();
      const answers = handles.map((handle) => events.filter((event) => event.handle === handle));
      const plainFacts = answers.map((answer) => answer.map(({ handle: _, ...facts }) => facts));
      const { numTokensRead, numDecodeSteps } = engine;
      return { numSteps, numTokensRead, numDecodeSteps, answers: plainFacts };
    };
    const probe = createDecoder(tinyModel(config), { maxSequences: 1, maxLength: 8 });
    const drawsInside = probe.step !== undefined;
    probe.dispose();
    const single = await answersBy(1);
    const several = await answersBy(16);
    expect(several.answers).toEqual(single.answers);
    expect(single.answers.map((answer) => answer.at(-1)!.finishReason)).toEqual([
      ...Array.from({ length: 8 }, () => "length"),
      "stop",
      "eos",
    ]);
    expect(single.answers.at(-2)).toHaveLength(10);
    expect(single.numDecodeSteps).toBe(single.numSteps);
    if (!drawsInside) return expect(several).toEqual(single);
    expect(several.numSteps).toBeLessThan(single.numSteps / 2);
    // What is drawn behind the stop text is read as well.
    const numBehind = several.numTokensRead - single.numTokensRead;
    expect(numBehind).toBeGreaterThanOrEqual(0);
    expect(numBehind).toBeLessThan(16);
  });

  it("keeps to one token a step where it takes longer than a turn", async () => {
    const engine = createGenerationEngine(tinyModel(config), { maxSequences: 1, maxTurnMs: 0 });
    engine.add({ promptIds: prompt(1), params: { maxNewTokens: 7 } });
    let numSteps = 0;
    for (; engine.numActive + engine.numWaiting > 0; numSteps++) await engine.step();
    expect(numSteps).toBe(7);
    engine.close();
  });

  it("draws one token a step where each changes the odds of the next", async () => {
    const model = tinyModel(config);
    const request = { promptIds: prompt(1), params: { maxNewTokens: 6, repetitionPenalty: 1.5 } };
    const engine = createGenerationEngine(model, { maxSequences: 2 });
    engine.add(request);
    engine.add({ promptIds: prompt(2), params: { maxNewTokens: 6 } });
    let numSteps = 0;
    for (; engine.numActive + engine.numWaiting > 0; numSteps++) await engine.step();
    expect(numSteps).toBe(6);
    engine.close();
  });

  it("gives the event loop its turn between steps", async () => {
    const engine = createGenerationEngine(tinyModel(config), {
      maxSequences: 1,
      maxTokensPerStep: 1,
    });
    engine.add({ promptIds: prompt(1), params: { maxNewTokens: 5 } });
    let turns = 0;
    const count = () => {
      turns++;
      if (engine.numActive + engine.numWaiting > 0) setImmediate(count);
    };
    setImmediate(count);
    await drain(engine);
    expect(turns).toBeGreaterThanOrEqual(4);
    engine.close();
  });

  it("refuses a second step while one runs", async () => {
    const engine = createGenerationEngine(tinyModel(config), { maxSequences: 1 });
    engine.add({ promptIds: prompt(1) });
    const running = engine.step();
    await expect(engine.step()).rejects.toThrow("still running");
    expect(() => engine.setWeights(1, new Map())).toThrow("between steps");
    await running;
    expect(await createGenerationEngine(tinyModel(config), { maxSequences: 1 }).step()).toEqual([]);
    engine.close();
  });
});
