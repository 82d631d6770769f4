import { createRandom, type Random } from "@stagecraft/core";
import { initEngine, type StepSampling } from "@stagecraft/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { randomIds, tinyConfig, tinyModel } from "../../test/tiny.js";
import { createDecoder } from "./decoder.js";
import { resolveSampling, sampleToken, type SamplingParams } from "./sampling.js";

beforeAll(() => initEngine({ engine: "auto" }));

const ROWS = 8;
const VOCAB = 1200;

/** Settings of every kind, each alone and all together. */
function randomParams(random: Random): SamplingParams {
  const some = <T>(value: T, off: T) => (random.nextInt(2) === 0 ? value : off);
  return resolveSampling({
    temperature: random.pick([0, 0.3, 1, 2.5]),
    topK: some(random.pick([1, 2, 40, 1000, 5000]), 0),
    topP: some(random.pick([0.999, 0.9, 0.5, 0.01]), 1),
    minP: some(random.pick([0.001, 0.1, 1]), 0),
    repetitionPenalty: some(random.pick([0.5, 1.3, 4]), 1),
  });
}

/** The arguments of a step, every row with filters (which may all be off). */
function samplingOf(
  rows: readonly { params: SamplingParams; uniform: number; history: number[] }[],
) {
  return {
    temperatures: Float32Array.from(rows, ({ params }) => params.temperature),
    uniforms: Float32Array.from(rows, ({ uniform }) => uniform),
    filters: rows.map(({ params, history }) => ({ ...params, history })),
  } satisfies StepSampling;
}

describe("the decoder's own sampler", () => {
  it("draws what sampleToken draws, with the same log-prob, whatever the filters", async ({
    skip,
  }) => {
    const model = tinyModel(tinyConfig("llama", { vocabSize: VOCAB }));
    const decoder = createDecoder(model, { maxSequences: ROWS, maxLength: 16 });
    if (!decoder.step) skip();
    const random = createRandom(5);
    for (let round = 0; round < 60; round++) {
      const prompts = Array.from({ length: ROWS }, (_, slot) => ({
        slot,
        ids: randomIds(VOCAB, 4, 100 * round + slot),
      }));
      const logits = await decoder.append(prompts);
      prompts.forEach(({ slot }) => decoder.reset(slot));
      const rows = prompts.map(({ ids }) => ({
        params: randomParams(random),
        uniform: Math.fround(random.nextInt(2 ** 24) / 2 ** 24),
        history: [...ids, ...ids],
      }));
      const { ids, logProbs } = decoder.step!(prompts, samplingOf(rows));
      prompts.forEach(({ slot }) => decoder.reset(slot));
      rows.forEach(({ params, uniform, history }, i) => {
        const row = logits.subarray(i * VOCAB, (i + 1) * VOCAB);
        const fixed = { nextFloat: () => uniform } as Random;
        const expected = sampleToken(row, params, fixed, { history });
        expect(ids[i], `round ${round}, ${JSON.stringify(params)}`).toBe(expected.id);
        // exp in fp32 against double precision
        expect(Math.abs(logProbs[i]! - expected.logProb)).toBeLessThan(1e-5);
      });
    }
    decoder.dispose();
    model.dispose();
  });

  it("keeps filters as exact as they are given, a top-k beyond 32 bits too", ({ skip }) => {
    const model = tinyModel(tinyConfig("llama", { vocabSize: 10 }));
    const tensors = model.tensors();
    for (const { data } of tensors.values()) (data as Float32Array).fill(0); // equal logits
    model.load(tensors);
    const cases = [{ topP: 0.3 }, { topP: 0.7 }, { topK: 2 ** 32 + 1 }, { topK: 2 ** 31 }];
    const decoder = createDecoder(model, { maxSequences: cases.length, maxLength: 8 });
    if (!decoder.step) skip();
    const rows = cases.map((params) => {
      return { params: resolveSampling(params), uniform: Math.fround(0.99), history: [] };
    });
    const prompts = rows.map((_, slot) => ({ slot, ids: Int32Array.of(1) }));
    const expected = rows.map(({ params, uniform }) => {
      const fixed = { nextFloat: () => uniform } as Random;
      return sampleToken(new Float32Array(10), params, fixed).id;
    });
    expect(expected).toEqual([2, 6, 9, 9]);
    expect([...decoder.step!(prompts, samplingOf(rows)).ids]).toEqual(expected);
    decoder.dispose();
    model.dispose();
  });

  it("marks rows whose logits are not finite", async ({ skip }) => {
    const model = tinyModel(tinyConfig("llama"));
    const tensors = model.tensors();
    const [first] = tensors.values();
    (first!.data as Float32Array).fill(NaN);
    model.load(tensors);
    const decoder = createDecoder(model, { maxSequences: 1, maxLength: 8 });
    if (!decoder.step) skip();
    const row = { slot: 0, ids: Int32Array.of(1) };
    for (const params of [{}, { topK: 3 }, { topP: 0.5, repetitionPenalty: 2 }]) {
      const rows = [{ params: resolveSampling(params), uniform: 0.5, history: [1] }];
      expect([...decoder.step!([row], samplingOf(rows)).logProbs]).toEqual([NaN]);
      decoder.reset(0);
    }
    decoder.dispose();
    model.dispose();
  });
});
