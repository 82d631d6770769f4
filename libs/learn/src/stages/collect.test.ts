import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentReporter } from "@stagecraft/runs";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readRankings, writeJsonl } from "@stagecraft/data";
import { initEngine } from "@stagecraft/tensor";
import { writeTinyModel } from "../../test/tiny-model.js";
import { collectStage, createCollectStage, type AnswerSet, type CollectConfig } from "./collect.js";

let dir: string;
beforeAll(() => initEngine({ numThreads: 1 }));
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "stagecraft-collect-"));
  await writeTinyModel(join(dir, "model"));
  const prompts = Array.from({ length: 10 }, (_, i) => ({
    id: `p${i}`,
    kind: "echo",
    messages: [{ role: "user", content: "say ".repeat(1 + (i % 3)) }],
    reference: "hello",
  }));
  await writeJsonl(join(dir, "prompts.jsonl"), prompts);
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const config = (more: object = {}) =>
  collectStage.schema.parse({
    model: join(dir, "model"),
    prompts: [join(dir, "prompts.jsonl")],
    samplesPerPrompt: 4,
    maxNewTokens: 6,
    batchSize: 8,
    ...more,
  }) as CollectConfig;
const context = (name: string, more: object = {}) => ({
  runDir: join(dir, name),
  resume: false,
  signal: new AbortController().signal,
  reporter: silentReporter(),
  ...more,
});
const answersOf = (name: string) => readFile(join(dir, name, "answers.jsonl"), "utf8");

describe("collect stage", () => {
  it("samples K answers per prompt and keeps what is known about the prompt", async () => {
    const { metrics } = await collectStage.run(config(), context("run"));
    expect(metrics).toEqual({
      prompts: 10,
      answers: 40,
      tokensPerSecond: expect.any(Number) as number,
    });
    const sets = (await answersOf("run"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as AnswerSet);
    expect(sets.map(({ id }) => id)).toEqual(Array.from({ length: 10 }, (_, i) => `p${i}`));
    expect(sets[0]).toMatchObject({ kind: "echo", reference: "hello" });
    for (const { answers, finishReasons } of sets) {
      expect(answers).toHaveLength(4);
      expect(finishReasons).toHaveLength(4);
      expect(new Set(answers).size).toBeGreaterThan(1);
    }
  });

  it("stopped and resumed, gives the same answers, whatever the batch size", async () => {
    await collectStage.run(config(), context("whole"));
    const controller = new AbortController();
    const reporter = silentReporter({ progress: ({ done }) => done >= 16 && controller.abort() });
    const stopped = collectStage.run(
      config(),
      context("parts", { signal: controller.signal, reporter }),
    );
    await expect(stopped).rejects.toThrow("[cancelled]");
    expect((await answersOf("parts")).split("\n").length).toBeLessThan(11);
    await collectStage.run(config(), context("parts", { resume: true }));
    expect(await answersOf("parts")).toBe(await answersOf("whole"));
    await collectStage.run(config({ batchSize: 40 }), context("large"));
    expect(await answersOf("large")).toBe(await answersOf("whole"));
  });

  it("writes rankings when it is given a ranker", async () => {
    const stage = createCollectStage({
      ranker: ({ id, prompt, answers }) =>
        id === "p3" ? undefined : { id, prompt, answers, ranks: answers.map((_, i) => i + 1) },
    });
    const { outputs, metrics } = await stage.run(config({ limit: 5 }), context("ranked"));
    expect(metrics["rankings"]).toBe(4);
    const ids: (string | undefined)[] = [];
    for await (const { id } of readRankings(outputs["rankings"]!)) ids.push(id);
    expect(ids).toEqual(["p0", "p1", "p2", "p4"]);
  });
});
