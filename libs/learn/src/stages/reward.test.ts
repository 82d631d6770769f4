import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentReporter } from "@stagecraft/runs";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createRandom } from "@stagecraft/core";
import { writeRankings, type Ranking } from "@stagecraft/data";
import { loadModel, readModelInfo } from "@stagecraft/model";
import { initEngine, tf } from "@stagecraft/tensor";
import { loadTokenizer } from "@stagecraft/tokenizer";
import { weightsOf, writeTinyModel } from "../../test/tiny-model.js";
import { rankingReport, type RankingReport } from "../reward/ranking-metrics.js";
import { answerIds } from "../reward/reward-data.js";
import { scoreSequences } from "../reward/reward-batch.js";
import { loadRewardModel } from "../reward/reward-model.js";
import type { RewardConfig } from "./reward-config.js";
import { rewardStage, type RewardReport } from "./reward.js";

let dir: string;
beforeAll(() => initEngine({ numThreads: 1 }));
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "stagecraft-reward-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** Answers of eight letters; raters like the letter a and, less, the letter b. */
function rankings(count: number, seed: string): Ranking[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const answers = Array.from({ length: 4 }, () =>
      Array.from({ length: 5 }, () => random.pick(["a", "b", "x", "y"])).join(""),
    );
    const utility = answers.map((text) => 2 * text.split("a").length + text.split("b").length);
    const order = [...new Set(utility)].sort((x, y) => y - x);
    return {
      id: `r${i}`,
      prompt: [{ role: "user", content: "say" }],
      answers,
      ranks: utility.map((value) => order.indexOf(value) + 1),
    };
  });
}

function run(
  runDir: string,
  more: {
    config?: object;
    resume?: boolean;
    signal?: AbortSignal;
    onStep?(step: number): void;
    onWarning?(message: string): void;
  } = {},
) {
  const config = rewardStage.schema.parse({
    model: join(dir, "base"),
    data: [join(dir, "train.jsonl")],
    validationData: [join(dir, "validation.jsonl")],
    batchSize: 8,
    epochs: 2,
    learningRate: 1e-2,
    weightDecay: 0,
    evalEvery: 4,
    checkpointEvery: 4,
    ...more.config,
  }) as RewardConfig;
  return rewardStage.run(config, {
    runDir: join(dir, runDir),
    resume: more.resume ?? false,
    signal: more.signal ?? new AbortController().signal,
    reporter: silentReporter({
      progress: ({ done }) => more.onStep?.(done),
      warn: (message) => more.onWarning?.(message),
    }),
  });
}

async function writeData(numTrain = 96) {
  await writeTinyModel(join(dir, "base"), { numLayers: 2 });
  await writeRankings(join(dir, "train.jsonl"), rankings(numTrain, "train"));
  await writeRankings(join(dir, "validation.jsonl"), rankings(24, "validation"));
}

describe("reward stage", () => {
  it("learns what raters like, with a smaller model, and notes where the references lie", async () => {
    await writeData();
    const before = tf.memory().numTensors;
    const { modelDir, metrics, outputs } = await run("run", {
      config: { keepLayers: 1, epochs: 3 },
    });
    expect(tf.memory().numTensors).toBe(before);
    expect(metrics["accuracy"]).toBeGreaterThan(0.85); // chance .5, no noise in these labels
    const info = await readModelInfo(modelDir!);
    expect(info.config.numLayers).toBe(1);
    const { mean } = info.extra["rewardModel"] as { mean: number };
    expect(info.extra).toMatchObject({ rewardModel: { objective: "ranking" } });
    const model = await loadModel(modelDir!);
    const tokenizer = await loadTokenizer(modelDir!);
    const score = (text: string) =>
      scoreSequences(model, [
        answerIds([{ role: "user", content: "say" }], text, { tokenizer, maxLength: 64 }),
      ])[0]!;
    expect(score("aaaaa")).toBeGreaterThan(score("xyxyx") + 0.5); // the sign is right
    const all = rankings(96, "train").flatMap(({ answers }) => answers.map(score));
    expect(all.reduce((sum, value) => sum + value, 0) / all.length).toBeCloseTo(mean, 3);
    expect(model.params.has("score.bias")).toBe(false); // other tools would not read it
    model.dispose();
    const report = JSON.parse(await readFile(outputs["report"]!, "utf8")) as RankingReport;
    expect(report.calibration.length).toBeGreaterThan(2);
    expect(report.byMargin).toHaveLength(5);
  });

  it("under LoRA learns what raters like, with the score head trained whole", async () => {
    await writeData();
    const before = tf.memory().numTensors;
    const { metrics } = await run("run", { config: { loraRank: 4, epochs: 3 } });
    expect(tf.memory().numTensors).toBe(before);
    expect(metrics["accuracy"]).toBeGreaterThan(0.85);
  });

  for (const objective of ["classification", "regression"] as const) {
    it(`${objective}: scores good answers higher`, async () => {
      await writeData();
      const { metrics } = await run("run", { config: { objective, epochs: 3 } });
      expect(metrics["accuracy"]).toBeGreaterThan(0.7);
      expect(metrics["targetAccuracy"]).toBeGreaterThan(0.7);
    });
  }

  it("stopped and resumed, ends bitwise as if never stopped", async () => {
    await writeData(48);
    const whole = await run("whole");
    for (const stopAt of [3, 4, 9]) {
      const controller = new AbortController();
      const name = `parts${stopAt}`;
      const onStep = (step: number) => step === stopAt && controller.abort();
      const { signal } = controller;
      await expect(run(name, { signal, onStep })).rejects.toThrow("[cancelled]");
      const resumed = await run(name, { resume: true });
      expect(await weightsOf(resumed.modelDir!)).toEqual(await weightsOf(whole.modelDir!));
    }
  });

  it("ensemble: members that differ, the first as if alone, their mean calibrated", async () => {
    await writeData(48);
    const before = tf.memory().numTensors;
    const alone = await run("alone");
    const { modelDir, metrics, outputs } = await run("three", { config: { ensemble: 3 } });
    expect(await weightsOf(modelDir!)).toEqual(await weightsOf(alone.modelDir!));
    const model = await loadRewardModel(modelDir!);
    expect(model.members).toHaveLength(3);
    const tokenizer = await loadTokenizer(modelDir!);
    const sequences = rankings(48, "train").flatMap(({ prompt, answers }) =>
      answers.map((answer) => answerIds(prompt, answer, { tokenizer, maxLength: 64 })),
    );
    const scores = model.score(sequences);
    expect(scores.every(({ std }) => std > 0)).toBe(true);
    const each = model.members.map((member) => scoreSequences(member, sequences)[0]!);
    expect(scores[0]!.mean).toBeCloseTo((each[0]! + each[1]! + each[2]!) / 3, 6);
    const mean = scores.reduce((sum, score) => sum + score.mean, 0) / scores.length;
    expect(model.scoreMean).toBeCloseTo(mean, 3);
    const spread = scores.reduce((sum, score) => sum + (score.mean - mean) ** 2, 0) / scores.length;
    expect(model.scoreStd).toBeCloseTo(Math.sqrt(spread), 3);
    const judged = rankings(24, "validation").map(({ prompt, answers, ranks }) => ({
      ranks,
      lengths: answers.map(() => 1),
      scores: model
        .score(answers.map((answer) => answerIds(prompt, answer, { tokenizer, maxLength: 64 })))
        .map((score) => score.mean),
    }));
    expect(metrics["crossEntropy"]).toBeCloseTo(rankingReport(judged).crossEntropy!, 5);
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
    const report = JSON.parse(await readFile(outputs["report"]!, "utf8")) as RewardReport;
    expect(report.ensemble!.memberAccuracies[0]).toBe(alone.metrics["accuracy"]);
    expect(report.ensemble!.byDisagreement).toHaveLength(3);
    expect(metrics["disagreement"]).toBeGreaterThan(0);
  });

  it("ensemble: stopped in its second member and resumed, ends bitwise as if never stopped", async () => {
    await writeData(48);
    const whole = await run("whole", { config: { ensemble: 2 } });
    const controller = new AbortController();
    let steps = 0;
    const onStep = () => ++steps === 15 && controller.abort(); // 12 steps a member
    const stopped = run("parts", {
      config: { ensemble: 2 },
      signal: controller.signal,
      onStep,
    });
    await expect(stopped).rejects.toThrow("[cancelled]");
    const resumed = await run("parts", { config: { ensemble: 2 }, resume: true });
    const all = async (dir: string) => {
      const model = await loadRewardModel(dir);
      const values = model.members.flatMap((member) =>
        [...member.tensors().values()].flatMap(({ data }) => [...(data as Float32Array)]),
      );
      model.dispose();
      return values;
    };
    expect(await all(resumed.modelDir!)).toEqual(await all(whole.modelDir!));
  });

  it("reports how far raters of the same answers agree", async () => {
    await writeData(48);
    const first = rankings(48, "train");
    const second = first.slice(0, 20).map((ranking) => ({ ...ranking, rater: "bob" }));
    const both = [...first.map((ranking) => ({ ...ranking, rater: "ann" })), ...second];
    await writeRankings(join(dir, "train.jsonl"), both);
    const { metrics, outputs } = await run("run", { config: { epochs: 1 } });
    expect(metrics["raterAgreement"]).toBe(1); // bob copied ann
    const report = JSON.parse(await readFile(outputs["report"]!, "utf8")) as RewardReport;
    expect(report.raterAgreement).toMatchObject({ numPrompts: 20, numRaters: 2, alpha: 1 });
  });

  describe("rankings that say nothing", () => {
    const tie = (ranking: Ranking) => ({ ...ranking, ranks: ranking.ranks.map(() => 1) });

    it("held out, they choose no weights: the last trained ones are the result, and that is said", async () => {
      await writeData(16);
      const all = rankings(8, "validation").map(tie);
      await writeRankings(join(dir, "validation.jsonl"), all);
      const warnings: string[] = [];
      const { metrics } = await run("run", { onWarning: (text) => warnings.push(text) });
      expect(metrics).not.toHaveProperty("accuracy");
      expect(metrics).not.toHaveProperty("crossEntropy");
      expect(warnings.join("\n")).toContain("8 held-out rankings put no answer above another");
      expect(warnings.join("\n")).toContain("nothing is evaluated");
    });

    it("to learn from, they are left out and counted, and all of them are refused", async () => {
      await writeData(16);
      const some = rankings(16, "train");
      await writeRankings(join(dir, "train.jsonl"), [
        ...some.slice(3),
        ...some.slice(0, 3).map(tie),
      ]);
      const warnings: string[] = [];
      const { metrics } = await run("run", { onWarning: (text) => warnings.push(text) });
      expect(metrics["prompts"]).toBe(13);
      expect(warnings.join("\n")).toContain("3 rankings put no answer above another: left out");
      await writeRankings(join(dir, "train.jsonl"), some.map(tie));
      await expect(run("run2")).rejects.toThrow("none of the 16 rankings teaches anything");
    });
  });

  describe("scores of raters", () => {
    const stars = () =>
      rankings(24, "train").map((ranking) => ({
        ...ranking,
        scores: ranking.ranks.map((rank) => 6 - Math.min(5, rank)),
      }));

    it("outside the range are refused with file and line, not clamped", async () => {
      await writeData();
      await writeRankings(join(dir, "train.jsonl"), stars());
      for (const objective of ["regression", "classification"]) {
        const refused = run(objective, { config: { objective } });
        await expect(refused).rejects.toThrow(
          /train\.jsonl:1\) has the score \d, outside the ratings/,
        );
      }
      await run("ranking", { config: { objective: "ranking", epochs: 1 } }); // learns no score
    });

    it("are learnt on a declared range", async () => {
      await writeData();
      await writeRankings(join(dir, "train.jsonl"), stars());
      const ratings = { ratingMin: 1, ratingMax: 5 };
      const { metrics } = await run("run", { config: { objective: "regression", ...ratings } });
      expect(metrics["accuracy"]).toBeGreaterThan(0.7);
      const wrong = run("wrong", { config: { ...ratings, ratingMin: 5 } });
      await expect(wrong).rejects.toThrow("ratingMin 5 must be below ratingMax 5");
    });
  });

  it("says where there is nothing to learn from", async () => {
    await writeData();
    await writeRankings(join(dir, "empty.jsonl"), []);
    const empty = run("run", { config: { data: [join(dir, "empty.jsonl")] } });
    await expect(empty).rejects.toThrow("no ranking found in");
    await expect(run("run2", { config: { model: join(dir, "nowhere") } })).rejects.toThrow(
      "nowhere",
    );
  });
});
