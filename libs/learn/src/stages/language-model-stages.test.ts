import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readRunRecord, silentReporter, type StageDefinition } from "@stagecraft/runs";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { writeJsonl } from "@stagecraft/data";
import { generate, loadModel, readModelInfo } from "@stagecraft/model";
import { initEngine, tf } from "@stagecraft/tensor";
import { loadTokenizer, renderChat } from "@stagecraft/tokenizer";
import { weightsOf, writeTinyModel } from "../../test/tiny-model.js";
import { pretrainStage } from "./pretrain.js";
import { sftStage } from "./sft.js";

let dir: string;
beforeAll(() => initEngine({ numThreads: 1 }));
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "stagecraft-stages-"));
  const text = "the cat sat on the mat. the dog ran to the cat. ";
  await writeFile(join(dir, "text.txt"), text.repeat(60));
  await writeFile(join(dir, "other.txt"), "a bird sang in the tree. ".repeat(60));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

interface RunOptions {
  resume?: boolean;
  signal?: AbortSignal;
  onStep?(step: number): void;
}

function run<C>(
  stage: StageDefinition<C>,
  config: object,
  { name, ...options }: RunOptions & { name: string },
) {
  return stage.run(stage.schema.parse(config) as C, {
    runDir: join(dir, name),
    resume: options.resume ?? false,
    signal: options.signal ?? new AbortController().signal,
    reporter: silentReporter({ progress: ({ done }) => options.onStep?.(done) }),
  });
}

const pretrainConfig = (more: object = {}): object => ({
  corpus: [join(dir, "text.txt")],
  tokenizerKind: "chars",
  split: "tail",
  validationFraction: 0.1,
  numLayers: 1,
  numHeads: 2,
  hiddenSize: 16,
  contextLength: 16,
  batchSize: 4,
  batching: "random-window",
  steps: 24,
  evalEvery: 6,
  evalBatches: 2,
  checkpointEvery: 5,
  warmupSteps: 2,
  learningRate: 1e-2,
  ...more,
});

const sftConfig = (more: object = {}): object => ({
  model: join(dir, "base"),
  data: [join(dir, "demonstrations.jsonl")],
  validationFraction: 0.2,
  batchSize: 4,
  epochs: 4,
  learningRate: 1e-2,
  evalEvery: 3,
  checkpointEvery: 4,
  ...more,
});

async function writeDemonstrations() {
  await writeTinyModel(join(dir, "base"));
  const colours = ["red", "blue", "green", "pink", "black", "white", "brown", "grey"];
  const records = Array.from({ length: 40 }, (_, i) => ({
    messages: [
      { role: "user", content: `say ${colours[i % 8]} ${"abcde"[i % 5]}` },
      { role: "assistant", content: "yes" },
      { role: "user", content: "again" },
      { role: "assistant", content: "yes yes" },
    ].slice(0, i % 3 === 0 ? 4 : 2),
  }));
  await writeJsonl(join(dir, "demonstrations.jsonl"), records);
}

/** Stops at each step given and resumes; the end must be that of an uninterrupted run, bit for bit. */
async function expectExactResume<C>(
  stage: StageDefinition<C>,
  config: object,
  stops: readonly number[],
): Promise<void> {
  const whole = await run(stage, config, { name: "whole" });
  let resume = false;
  for (const stopAt of stops) {
    const controller = new AbortController();
    const onStep = (step: number) => step === stopAt && controller.abort();
    const stopped = run(stage, config, {
      name: "parts",
      resume,
      signal: controller.signal,
      onStep,
    });
    await expect(stopped).rejects.toThrow("[cancelled]");
    resume = true;
  }
  const resumed = await run(stage, config, { name: "parts", resume });
  expect(await weightsOf(resumed.modelDir!)).toEqual(await weightsOf(whole.modelDir!));
  const { tokensPerSecond: _, ...figures } = resumed.metrics;
  expect(whole.metrics).toMatchObject(figures);
}

describe("pretrain stage", () => {
  it("learns the text, writes a Hugging Face directory, and leaks nothing", async () => {
    const before = tf.memory().numTensors;
    const { modelDir, metrics } = await run(pretrainStage, pretrainConfig({ steps: 80 }), {
      name: "run",
    });
    expect(tf.memory().numTensors).toBe(before);
    const uniform = Math.log((await loadTokenizer(modelDir!)).vocabSize);
    expect(metrics["bestValidationLoss"]).toBeLessThan(0.6 * uniform);
    // Every character is one byte here, so the two figures are one number in two units.
    expect(metrics["bitsPerByte"]).toBeCloseTo(metrics["validationLoss"]! / Math.LN2, 1);
    const info = await readModelInfo(modelDir!);
    expect(info.config).toMatchObject({ architecture: "llama", numLayers: 1, hiddenSize: 16 });
    expect(Object.keys(info.files)).toContain("tokenizer.json");
  });

  for (const more of [
    {},
    { batching: "packed", optimizer: "sgd", accumulationSteps: 2, architecture: "gpt2" },
    { tokenizerKind: "bpe", vocabSize: 280, corpus: "weighted", dtype: "bf16" },
  ]) {
    it(`stopped twice and resumed, ends bitwise as if never stopped ${JSON.stringify(more)}`, async () => {
      const corpus =
        "corpus" in more ? { corpus: [join(dir, "text.txt"), `${join(dir, "other.txt")}=2`] } : {};
      const sized = "batching" in more ? { split: "tail", contextLength: 32 } : {};
      const config = pretrainConfig({ ...more, ...corpus, ...sized });
      await expectExactResume(pretrainStage, config, [1, 13]);
    });
  }

  it("continues from a model directory with its tokenizer", async () => {
    const first = await run(pretrainStage, pretrainConfig(), { name: "first" });
    const config = pretrainConfig({ init: first.modelDir, steps: 4, learningRate: 1e-4 });
    const second = await run(pretrainStage, config, { name: "second" });
    expect(second.metrics["validationLoss"]).toBeLessThan(first.metrics["validationLoss"]! + 0.1);
  });

  it("leaves the base of rotary positions to the family, and refuses one where there is none", async () => {
    const short = { ...{ steps: 1, evalBatches: 1 }, architecture: "smollm3" };
    const thetaOf = async (name: string, more: object) => {
      const { modelDir } = await run(pretrainStage, pretrainConfig({ ...short, ...more }), {
        name,
      });
      return (await readModelInfo(modelDir!)).config.ropeTheta;
    };
    expect(await thetaOf("own", {})).toBe(2_000_000);
    expect(await thetaOf("given", { ropeTheta: 500 })).toBe(500);
    await expect(thetaOf("none", { architecture: "gpt2", ropeTheta: 10_000 })).rejects.toThrow(
      "gpt2 learns its positions and has no ropeTheta",
    );
  });

  it("explains an empty corpus, a missing file and a context that does not fit", async () => {
    await writeFile(join(dir, "empty.txt"), "");
    const start = (more: object, name: string) =>
      run(pretrainStage, pretrainConfig(more), { name });
    await expect(start({ corpus: [join(dir, "empty.txt")] }, "a")).rejects.toThrow(/empty|no /);
    expect((await readRunRecord(join(dir, "a")))?.state).toBe("failed");
    await expect(start({ corpus: [join(dir, "none.txt")] }, "b")).rejects.toThrow("none.txt");
    await writeTinyModel(join(dir, "base"), { maxPositions: 8 });
    await expect(start({ init: join(dir, "base") }, "c")).rejects.toThrow("8 positions");
  });
});

describe("sft stage", () => {
  it("teaches the answer and its end, and leaks nothing", async () => {
    await writeDemonstrations();
    const before = tf.memory().numTensors;
    const { modelDir, metrics } = await run(sftStage, sftConfig({ epochs: 30 }), { name: "run" });
    expect(tf.memory().numTensors).toBe(before);
    expect(metrics["bestValidationLoss"]).toBeLessThan(0.5);
    const model = await loadModel(modelDir!);
    const tokenizer = await loadTokenizer(modelDir!);
    const { ids } = renderChat(tokenizer, [{ role: "user", content: "say red c" }], {
      addGenerationPrompt: true,
    });
    const [answer] = await generate(
      model,
      [ids],
      { temperature: 0, maxNewTokens: 8 },
      { tokenizer },
    );
    expect(answer).toMatchObject({ text: "yes", finishReason: "eos" });
    model.dispose();
  });

  it("under LoRA learns, leaves what has no adapter as it was, and writes one plain model", async () => {
    await writeDemonstrations();
    const before = tf.memory().numTensors;
    const lora = { loraRank: 4, loraAlpha: 8, loraTargets: ["q", "v", "down"] };
    const config = sftConfig({ ...lora, epochs: 16, learningRate: 5e-2 });
    const { modelDir, metrics } = await run(sftStage, config, { name: "run" });
    expect(tf.memory().numTensors).toBe(before);
    const lines = (await readFile(join(dir, "run", "metrics.jsonl"), "utf8")).trim().split("\n");
    const start = lines.map((line) => JSON.parse(line) as Record<string, number>);
    const { validationLoss } = start.find((record) => "validationLoss" in record)!;
    expect(metrics["bestValidationLoss"]).toBeLessThan(validationLoss! - 0.2);
    const [base, tuned] = [await loadModel(join(dir, "base")), await loadModel(modelDir!)];
    const changed = [...base.tensors()].filter(
      ([name, { data }]) => String(data) !== String(tuned.tensors().get(name)!.data),
    );
    const names = changed.map(([name]) => /\.(q|k|v|o|gate|up|down)_proj\./.exec(name)?.[1]);
    expect(names.sort()).toEqual(["down", "q", "v"]);
    expect([...tuned.params.keys()].filter((name) => name.includes("lora"))).toEqual([]);
    base.dispose();
    tuned.dispose();
  });

  it("refuses new chat tokens under LoRA, whose embeddings nobody would train", async () => {
    await writeDemonstrations();
    const config = sftConfig({ loraRank: 4, chatTemplate: "llama3" });
    await expect(run(sftStage, config, { name: "run" })).rejects.toThrow(
      "the chat template needs tokens that the model has no embeddings for",
    );
  });

  for (const more of [
    {},
    { pack: false, optimizer: "sgd", learningRate: 0.1 },
    { loraRank: 2, accumulationSteps: 2 },
  ]) {
    it(`stopped twice and resumed, ends bitwise as if never stopped ${JSON.stringify(more)}`, async () => {
      await writeDemonstrations();
      const steps = "pack" in more ? [2, 9] : [1, 3].slice(0, "loraRank" in more ? 1 : 2);
      await expectExactResume(sftStage, sftConfig(more), steps);
    });
  }

  it("records metrics suited for plotting", async () => {
    await writeDemonstrations();
    await run(sftStage, sftConfig({ logEvery: 1 }), { name: "run" });
    const lines = (await readFile(join(dir, "run", "metrics.jsonl"), "utf8")).trim().split("\n");
    const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const train = records.find(({ kind }) => kind === "train")!;
    for (const field of [
      "step",
      "numTokens",
      "loss",
      "learningRate",
      "gradNorm",
      "tokensPerSecond",
    ]) {
      expect(typeof train[field]).toBe("number");
    }
    const evals = records.filter(({ kind }) => kind === "eval");
    expect(evals[0]).toMatchObject({ stage: "sft", step: 0 });
    expect(evals.at(-1)).toHaveProperty("validationLoss");
  });
});
