import { initEngine } from "@stagecraft/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { tinyConfig, tinyModel } from "./tiny.js";
import {
  createGenerationEngine,
  type GenerationEvent,
} from "../src/generation/generation-engine.js";
import type { SamplingParams } from "../src/generation/sampling.js";

const BAD = 5;

/** A model for which every sequence that holds the token `BAD` has logits that are no numbers. */
function damagedModel() {
  const model = tinyModel(tinyConfig("llama", { tieEmbeddings: false }));
  const tensors = model.tensors();
  const { data, shape } = tensors.get("model.embed_tokens.weight")!;
  (data as Float32Array).fill(NaN, BAD * shape[1]!, (BAD + 1) * shape[1]!);
  model.load(tensors);
  return model;
}

async function answersTo(prompts: readonly number[][], params: Partial<SamplingParams>) {
  const model = damagedModel();
  const failed: [number, string][] = [];
  const engine = createGenerationEngine(model, {
    maxSequences: 4,
    onFailure: (handle, { code }) => failed.push([handle, code]),
  });
  for (const ids of prompts) engine.add({ promptIds: Int32Array.from(ids), params });
  const events: GenerationEvent[] = [];
  while (engine.numActive + engine.numWaiting > 0) events.push(...(await engine.step()));
  engine.close();
  model.dispose();
  const answers = prompts.map((_, i) => events.filter(({ handle }) => handle === i + 1));
  return {
    failed,
    answers: answers.map((list) => list.map(({ id, logProb }) => ({ id, logProb }))),
  };
}

type Answers = Awaited<ReturnType<typeof answersTo>>["answers"];

/** TensorFlow's products depend in their last bits on how many rows there are; ours do not. */
function expectSame(got: Answers, wanted: Answers, engineName: string): void {
  if (engineName !== "tensorflow") return expect(got).toEqual(wanted);
  const closely = wanted.map((list) =>
    list.map(({ id, logProb }) => ({ id, logProb: expect.closeTo(logProb, 5) as number })),
  );
  expect(got).toEqual(closely);
}

/** What every engine holds to; an engine runs once in a process, so each has a test file of its own. */
export function describeBadRow(engine: "auto" | "cpu"): void {
  let engineName = "";
  beforeAll(async () => void (engineName = (await initEngine({ engine })).name));
  describe(`a row that goes bad, engine ${engine}`, () => {
    it("fails alone; the others have the same bits as without it", async () => {
      const good = [
        [1, 2, 3],
        [9, 8],
      ];
      for (const params of [{}, { topK: 3, topP: 0.9 }, { repetitionPenalty: 1.5 }]) {
        // The token is never drawn: its logit is not the largest at temperature 0.
        const greedy = { maxNewTokens: 6, temperature: 0, ...params };
        const without = await answersTo(good, greedy);
        const among = await answersTo([...good, [1, BAD, 3]], greedy);
        expect(among.failed).toEqual([[3, "internal"]]);
        expectSame(among.answers, [...without.answers, []], engineName);
        expect(among.answers[0]).toHaveLength(6);
      }
    });

    it("stays finite at the ends of what sampling parameters may be", async () => {
      for (const params of [
        { temperature: 1e-6, repetitionPenalty: 0.01 },
        { temperature: 1e-6, repetitionPenalty: 100 },
        { temperature: 1000, topP: 1e-300, minP: 1 },
      ]) {
        const { failed, answers } = await answersTo([[1, 2, 3, 1]], { maxNewTokens: 4, ...params });
        expect(failed).toEqual([]);
        for (const { logProb } of answers[0]!) expect(Number.isFinite(logProb)).toBe(true);
      }
    });
  });
}
