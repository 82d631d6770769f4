import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentReporter } from "@stagecraft/runs";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createRandom } from "@stagecraft/core";
import { writeRankings, type Ranking } from "@stagecraft/data";
import { initEngine, tf } from "@stagecraft/tensor";
import { weightsOf, writeTinyModel } from "../../test/tiny-model.js";
import { dpoStage, type DpoConfig } from "./dpo.js";

let dir: string;
beforeAll(() => initEngine({ numThreads: 1 }));
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "stagecraft-dpo-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** Answers of five letters; raters count the letter a. */
function rankings(count: number, seed: string): Ranking[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const answers = Array.from({ length: 3 }, () =>
      Array.from({ length: 5 }, () => random.pick(["a", "b", "x"])).join(""),
    );
    const utility = answers.map((text) => text.split("a").length);
    const order = [...new Set(utility)].sort((x, y) => y - x);
    return {
      id: `r${i}`,
      prompt: [{ role: "user", content: "say" }],
      answers,
      ranks: utility.map((value) => order.indexOf(value) + 1),
    };
  });
}

interface RunOptions {
  config?: object;
  resume?: boolean;
  signal?: AbortSignal;
  onStep?(step: number): void;
}

function run(runDir: string, { config = {}, resume = false, signal, onStep }: RunOptions = {}) {
  const parsed = dpoStage.schema.parse({
    model: join(dir, "base"),
    data: [join(dir, "train.jsonl")],
    validationData: [join(dir, "validation.jsonl")],
    batchSize: 8,
    epochs: 2,
    learningRate: 5e-3,
    warmupSteps: 2,
    evalEvery: 4,
    checkpointEvery: 4,
    ...config,
  }) as DpoConfig;
  return dpoStage.run(parsed, {
    runDir: join(dir, runDir),
    resume,
    signal: signal ?? new AbortController().signal,
    reporter: silentReporter({ progress: ({ done }) => onStep?.(done) }),
  });
}

async function writeData() {
  await writeTinyModel(join(dir, "base"));
  await writeRankings(join(dir, "train.jsonl"), rankings(48, "train"));
  await writeRankings(join(dir, "validation.jsonl"), rankings(24, "validation"));
}

async function records(runDir: string, kind: string): Promise<Record<string, number>[]> {
  const text = await readFile(join(dir, runDir, "metrics.jsonl"), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, number> & { kind: string })
    .filter((record) => record.kind === kind);
}

describe("dpo stage", () => {
  it("starts at ln 2 and learns to prefer what raters prefer", async () => {
    await writeData();
    const before = tf.memory().numTensors;
    const { metrics } = await run("run", { config: { epochs: 4 } });
    expect(tf.memory().numTensors).toBe(before);
    const [start] = await records("run", "eval");
    expect(start!["validationLoss"]).toBeCloseTo(Math.LN2, 6);
    expect(start!["margin"]).toBeCloseTo(0, 6);
    const [first] = await records("run", "train"); // of the weights before the first step
    expect(first!["loss"]).toBeCloseTo(Math.LN2, 5);
    expect(metrics["bestValidationLoss"]).toBeLessThan(0.6);
    expect(metrics["accuracy"]).toBeGreaterThan(0.85); // chance .5, no noise in these labels
    expect(metrics["margin"]).toBeGreaterThan(0.2);
    expect(metrics["chosenReward"]! - metrics["rejectedReward"]!).toBeCloseTo(
      metrics["margin"]!,
      9,
    );
  });

  it("measures rewards against another reference when told to", async () => {
    await writeData();
    await writeTinyModel(join(dir, "other"), { seed: 7 });
    await run("run", { config: { reference: join(dir, "other"), epochs: 0.1 } });
    const [start] = await records("run", "eval");
    expect(Math.abs(start!["validationLoss"]! - Math.LN2)).toBeGreaterThan(1e-4);
  });

  it("under LoRA starts at ln 2 as well, and learns", async () => {
    await writeData();
    const before = tf.memory().numTensors;
    const { metrics } = await run("run", {
      config: { epochs: 4, loraRank: 4, learningRate: 2e-2 },
    });
    expect(tf.memory().numTensors).toBe(before);
    const [start] = await records("run", "eval");
    expect(start!["validationLoss"]).toBeCloseTo(Math.LN2, 6);
    expect(metrics["bestValidationLoss"]).toBeLessThan(0.67);
    expect(metrics["accuracy"]).toBeGreaterThan(0.7);
  });

  it("refuses a reference with another tokenizer", async () => {
    await writeData();
    await writeTinyModel(join(dir, "other"), { seed: 7 });
    const file = join(dir, "other", "tokenizer.json");
    const text = await readFile(file, "utf8");
    await writeFile(file, text.replace('"a":', '"?":'));
    await expect(run("run", { config: { reference: join(dir, "other") } })).rejects.toThrow(
      /has another tokenizer than/,
    );
  });

  for (const config of [{}, { loraRank: 2 }]) {
    it(`stopped and resumed, ends bitwise as if never stopped ${JSON.stringify(config)}`, async () => {
      await writeData();
      const whole = await run("whole", { config });
      for (const stopAt of [3, 4, 9].slice(0, "loraRank" in config ? 1 : 3)) {
        const controller = new AbortController();
        const { signal } = controller;
        const name = `parts${stopAt}`;
        const onStep = (step: number) => step === stopAt && controller.abort();
        await expect(run(name, { config, signal, onStep })).rejects.toThrow("[cancelled]");
        const resumed = await run(name, { config, resume: true });
        expect(await weightsOf(resumed.modelDir!)).toEqual(await weightsOf(whole.modelDir!));
      }
    });
  }

  it("gives the same weights however the prompts are cut into micro-batches", async () => {
    await writeData();
    // Tied rankings are left out; whole batches of what remains cut evenly.
    const untied = rankings(80, "train").filter(({ ranks }) => new Set(ranks).size > 1);
    await writeRankings(join(dir, "train.jsonl"), untied.slice(0, 48));
    const config = { epochs: 1, clipNorm: 0 };
    const whole = await run("whole", { config });
    const cut = await run("cut", { config: { ...config, batchSize: 2, accumulationSteps: 4 } });
    const [a, b] = [await weightsOf(whole.modelDir!), await weightsOf(cut.modelDir!)];
    const worst = Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
    expect(worst).toBeLessThan(1e-4); // order of float32 sums, through six Adam steps
  });
});
