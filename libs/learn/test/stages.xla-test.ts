/** What a step of each whole stage runs on the engine xla, counted on a real plugin: `npm run test:xla`. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeJsonl, writeRankings, type Message } from "@stagecraft/data";
import { silentReporter, type StageDefinition } from "@stagecraft/runs";
import { initEngine, programCounts } from "@stagecraft/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dpoStage } from "../src/stages/dpo.js";
import { pretrainStage } from "../src/stages/pretrain.js";
import { rewardStage } from "../src/stages/reward.js";
import { sftStage } from "../src/stages/sft.js";
import { writeTinyModel } from "./tiny-model.js";

let dir: string;
beforeAll(async () => {
  await initEngine({ engine: "xla" });
  dir = await mkdtemp(join(tmpdir(), "stagecraft-calls-"));
  await writeTinyModel(join(dir, "base"));
  await writeFile(join(dir, "text.txt"), "the cat sat on the mat. the dog ran to it. ".repeat(60));
  const words = ["red", "blue", "green", "pink"];
  const prompts = Array.from({ length: 24 }, (_, i): Message[] => [
    { role: "user", content: `say ${words[i % 4]} ${"abcdef"[i % 6]}` },
  ]);
  await writeJsonl(
    join(dir, "answers.jsonl"),
    prompts.map((prompt) => ({ messages: [...prompt, { role: "assistant", content: "yes" }] })),
  );
  const rankings = prompts.map((prompt, i) => {
    return {
      id: `r${i}`,
      prompt,
      answers: ["aaa", "abx", "xxb"],
      ranks: [1, 2, 3],
      scores: [1, 0.5, 0],
    };
  });
  await writeRankings(join(dir, "train.jsonl"), rankings.slice(8));
  await writeRankings(join(dir, "validation.jsonl"), rankings.slice(0, 8));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Programs run from one step's end to the next one's, nothing else being due between. */
async function programsPerStep<C>(stage: StageDefinition<C>, config: object): Promise<number[]> {
  const own = { learningRate: 1e-3, warmupSteps: 1, evalEvery: 0, checkpointEvery: 0 };
  const atEnd: number[] = [];
  await stage.run(stage.schema.parse({ ...own, ...config }) as C, {
    runDir: join(dir, `run-${Math.random()}`),
    resume: false,
    signal: new AbortController().signal,
    reporter: silentReporter({ progress: () => atEnd.push(programCounts()!.executed) }),
  });
  return atEnd.slice(1).map((count, i) => count - atEnd[i]!);
}

const times = (count: number, value: number): number[] => Array<number>(count).fill(value);

describe("a step of a stage on xla runs one program", () => {
  const model = () => join(dir, "base");
  const texts = () => ({
    ...{ corpus: [join(dir, "text.txt")], tokenizerKind: "chars", steps: 6, batchSize: 4 },
    ...{ numLayers: 1, numHeads: 2, hiddenSize: 16, contextLength: 16 },
  });
  const demonstrations = () => ({
    ...{ model: model(), data: [join(dir, "answers.jsonl")], batchSize: 4, epochs: 4 },
    ...{ validationFraction: 0.2 },
  });
  const ranked = () => ({
    ...{ model: model(), data: [join(dir, "train.jsonl")], batchSize: 4, epochs: 1 },
    ...{ validationData: [join(dir, "validation.jsonl")] },
  });

  it("in pretrain", async () => {
    expect(await programsPerStep(pretrainStage, texts())).toEqual(times(5, 1));
  });

  it("in pretrain with two micro-batches: one each, the optimizer with the last", async () => {
    const config = { ...texts(), accumulationSteps: 2 };
    expect(await programsPerStep(pretrainStage, config)).toEqual(times(5, 2));
  });

  it("in sft", async () => {
    const steps = await programsPerStep(sftStage, demonstrations());
    expect(steps).toEqual(times(steps.length, 1));
    expect(steps.length).toBeGreaterThan(2);
  });

  it("in sft of adapters", async () => {
    const steps = await programsPerStep(sftStage, { ...demonstrations(), loraRank: 2 });
    expect(steps).toEqual(times(steps.length, 1));
    expect(steps.length).toBeGreaterThan(2);
  });

  for (const objective of ["ranking", "classification", "regression"]) {
    it(`in reward by ${objective}`, async () => {
      const config = { ...ranked(), objective };
      expect(await programsPerStep(rewardStage, config)).toEqual(times(3, 1));
    });
  }

  it("in dpo", async () => {
    expect(await programsPerStep(dpoStage, ranked())).toEqual(times(3, 1));
  });
});
