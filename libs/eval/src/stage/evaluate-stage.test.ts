import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentReporter, stageProblems, type StageContext } from "@stagecraft/runs";
import { createModel, presetConfig, saveModel } from "@stagecraft/model";
import { trainCharTokenizer } from "@stagecraft/tokenizer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEvaluateStage } from "./evaluate-stage.js";
import type { AnswerRecord } from "./answer-record.js";
import { evaluateSchema } from "./config.js";
import { loadRewardScorer } from "./reward-scorer.js";
import { bestOfKl, bestOfNotes, type Evaluation } from "./summarise.js";

describe("evaluateStage", () => {
  let dir: string;
  const stage = createEvaluateStage({ scorers: { brevity: (_, answer) => -answer.length } });

  const context = (runDir: string, more: Partial<StageContext> = {}): StageContext => ({
    runDir: join(dir, runDir),
    resume: false,
    signal: new AbortController().signal,
    reporter: silentReporter(),
    ...more,
  });
  const config = (more: object = {}) =>
    evaluateSchema.parse({
      models: [`a=${join(dir, "a")}`, `b=${join(dir, "b")}`],
      prompts: [join(dir, "prompts.jsonl")],
      temperature: 1,
      maxNewTokens: 6,
      batchSize: 2,
      engine: "cpu",
      threads: 1,
      ...more,
    });
  const answersOf = async (runDir: string) =>
    (await readFile(join(dir, runDir, "answers.jsonl"), "utf8"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as AnswerRecord);

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "evaluate-"));
    const tokenizer = await trainCharTokenizer(texts(["abc ?hi"]));
    const sizes = { vocabSize: tokenizer.vocabSize, hiddenSize: 16, numLayers: 1, numHeads: 2 };
    for (const [seed, name] of ["a", "b", "reward"].entries()) {
      const heads = name === "reward" ? (["score"] as const) : (["lm"] as const);
      const model = createModel(presetConfig("llama", { ...sizes, maxPositions: 64 }), {
        seed,
        heads,
      });
      await saveModel(join(dir, name), model, { tokenizerFiles: tokenizer.files() });
      model.dispose();
    }
    const prompts = Array.from({ length: 7 }, (_, i) => ({
      id: `p${i}`,
      kind: i % 2 === 0 ? "even" : "odd",
      messages: [{ role: "user", content: "hi?" }],
      ...(i === 6 ? {} : { accepted: ["abc"] }),
    }));
    await writeFile(
      join(dir, "prompts.jsonl"),
      prompts.map((p) => `${JSON.stringify(p)}\n`).join(""),
    );
  });
  afterAll(() => rm(dir, { recursive: true }));

  it("answers every prompt with every model and compares them", async () => {
    const { outputs } = await stage.run(config(), context("plain"));
    const answers = await answersOf("plain");
    expect(answers).toHaveLength(14);
    expect(answers.filter(({ exact }) => exact === undefined).map(({ id }) => id)).toEqual([
      "p6",
      "p6",
    ]);
    const evaluation = JSON.parse(await readFile(outputs["evaluation"]!, "utf8")) as Evaluation;
    expect(evaluation.models.map(({ model }) => model)).toEqual(["a", "b"]);
    expect(evaluation.models[0]!.exact.overall.total).toBe(6);
    expect(evaluation.winRates).toHaveLength(1);
    const { wins, losses, ties } = evaluation.winRates[0]!.winRate;
    expect(wins + losses + ties).toBe(7);
  });

  it("gives the same answers after an interruption as without one", async () => {
    const controller = new AbortController();
    const reporter = silentReporter({ progress: ({ done }) => done >= 4 && controller.abort() });
    const interrupted = context("resumed", { signal: controller.signal, reporter });
    await expect(stage.run(config(), interrupted)).rejects.toThrow("[cancelled]");
    const file = join(dir, "resumed", "answers.jsonl");
    await truncate(file, (await readFile(file)).length - 9); // as a crash in the middle of a line
    await stage.run(config(), context("resumed", { resume: true }));
    expect(await answersOf("resumed")).toEqual(await answersOf("plain"));
  });

  it("keeps the favourite of the reward model among several answers", async () => {
    const rewardModel = join(dir, "reward");
    await stage.run(config({ rewardModel }), context("one"));
    await stage.run(config({ rewardModel, bestOf: 4 }), context("best"));
    const [one, best] = [await answersOf("one"), await answersOf("best")];
    for (const [i, { scores }] of best.entries()) {
      expect(scores["reward"]).toBeGreaterThanOrEqual(one[i]!.scores["reward"]!);
    }
    expect(best).not.toEqual(one);
  });

  it("compares models with best of n of a baseline, and says how far choosing can move it", async () => {
    const rewardModel = join(dir, "reward");
    const baselines = [`a=${join(dir, "a")}`];
    const more = { rewardModel, baselines, bestOf: 4, temperature: 0 };
    const { outputs, metrics } = await stage.run(config(more), context("baseline"));
    const evaluation = JSON.parse(await readFile(outputs["evaluation"]!, "utf8")) as Evaluation;
    expect(evaluation.models.map(({ model }) => model)).toEqual(["a", "b", "a-bo4"]);
    expect(evaluation.models[2]!.bestOf).toEqual({ n: 4, klBound: Math.log(4) - 3 / 4 });
    expect(evaluation.models[0]!.bestOf).toBeUndefined();
    expect(bestOfNotes(evaluation.models)).toHaveLength(1);
    expect(metrics["a-bo4.winRate.a.reward"]).toBeDefined();
    const answers = await answersOf("baseline");
    const greedy = answers.filter(({ model }) => model === "a").map(({ answer }) => answer);
    expect(new Set(greedy).size).toBe(1); // one prompt text, drawn once each, without chance
  });

  it("bounds the KL of best of n by log n − (n − 1)/n, what choosing among distinct answers costs", () => {
    // The best of n draws over a fine grid of distinct, equally likely answers.
    const grid = 20_000;
    for (const n of [2, 4, 16]) {
      let kl = 0;
      for (let i = 1; i <= grid; i++) {
        const mass = (i / grid) ** n - ((i - 1) / grid) ** n;
        if (mass > 0) kl += mass * Math.log(mass * grid);
      }
      expect(kl).toBeCloseTo(bestOfKl(n), 3);
    }
  });

  const mistakes: [string, object, string][] = [
    ["two models of one name", { models: ["x=a", "x=b"] }, 'two models are called "x"'],
    ["a baseline of one answer", { baselines: ["a"] }, "baselines need bestOf of 2 or more"],
    ["bestOf without a reward model", { bestOf: 2 }, "bestOf needs a rewardModel"],
  ];
  for (const [name, more, message] of mistakes) {
    it(`refuses ${name}`, async () => {
      await expect(stage.run(config(more), context("bad"))).rejects.toThrow(message);
    });
  }
  describe("a reward model of shorter context than the models'", () => {
    const short = async (name: string, maxPositions: number) => {
      const { vocabSize, files } = await trainCharTokenizer(texts(["abc ?hi"]));
      const sizes = { vocabSize, hiddenSize: 16, numLayers: 1, numHeads: 2, maxPositions };
      const model = createModel(presetConfig("llama", sizes), { seed: 9, heads: ["score"] });
      await saveModel(join(dir, name), model, { tokenizerFiles: files() });
      model.dispose();
      return join(dir, name);
    };
    const long = { id: "long", messages: [{ role: "user", content: "hi?abc".repeat(3) }] };

    it("is asked only about prompts that it has room for with an answer; the others are named", async () => {
      const rewardModel = await short("short", 20);
      const prompts = join(dir, "mixed.jsonl");
      const fits = { id: "fits", messages: [{ role: "user", content: "hi?" }] };
      await writeFile(prompts, [long, fits].map((p) => `${JSON.stringify(p)}\n`).join(""));
      const warnings: string[] = [];
      const reporter = silentReporter({ warn: (message) => warnings.push(message) });
      const judged = config({ rewardModel, prompts: [prompts] });
      await stage.run(judged, context("short-context", { reporter }));
      expect((await answersOf("short-context")).map(({ id }) => id)).toEqual(["fits", "fits"]);
      expect(warnings).toEqual([
        `prompt "long" (${prompts}:1) has 22 tokens and leaves no room for an answer of 6 in the 20 of the reward model ${rewardModel}: left out`,
      ]);
    });

    it("is refused before any work when no prompt can fit, as any model is", async () => {
      const rewardModel = await short("tiny", 6);
      const judged = config({ rewardModel });
      expect((await stageProblems(stage, judged)).problems).toEqual([
        expect.stringContaining("maxNewTokens 6 leaves no room for a prompt in the 6 positions"),
      ]);
      const none = stage.run(judged, context("no-room"));
      await expect(none).rejects.toThrow("all 7 are too long");
    });

    it("scores an answer whose text has more tokens than were sampled without its beginning", async () => {
      const scorer = await loadRewardScorer(await short("scorer", 20));
      const prompt = { id: "p", messages: [{ role: "user" as const, content: "hi?" }] };
      const [whole] = scorer.score(prompt, ["abc"]);
      expect(scorer.numCut).toBe(0);
      expect(scorer.score(prompt, ["abc", "abc".repeat(9)])[0]).toBeCloseTo(whole!, 5);
      expect(scorer.numCut).toBe(1);
      scorer.dispose();
    });
  });

  it("refuses a reward model without score head", async () => {
    const wrong = config({ rewardModel: join(dir, "a") });
    await expect(stage.run(wrong, context("bad2"))).rejects.toThrow("has no score head");
  });
});

async function* texts(list: string[]): AsyncGenerator<string> {
  yield* list;
}
