import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { initEngine, tf } from "@stagecraft/tensor";
import { allAnswers, closedFormOptimum, COUNT_ONES_TASK, exactValues } from "./closed-form.js";
import { runClosedFormCheck } from "./closed-form-run.js";

let runDir: string;
beforeAll(() => initEngine({ numThreads: 1 }));
beforeEach(async () => {
  runDir = await mkdtemp(join(tmpdir(), "stagecraft-ppo-"));
});
afterEach(() => rm(runDir, { recursive: true, force: true }));

const uniform = new Float64Array(256).fill(-4 * Math.log(4));

describe("the enumerable task", () => {
  it("lists every answer once", () => {
    const keys = new Set(allAnswers(COUNT_ONES_TASK).map((answer) => answer.join("")));
    expect(keys.size).toBe(256);
  });
  it("has the closed form's value at π*, from two sides", () => {
    for (const beta of [0.2, 0.5, 2]) {
      const optimum = closedFormOptimum(uniform, { task: COUNT_ONES_TASK, beta });
      expect(optimum.reward - beta * optimum.kl).toBeCloseTo(optimum.objective, 12);
    }
  });
  it("agrees with a hand calculation where tokens are independent", () => {
    const task = {
      ...COUNT_ONES_TASK,
      reward: (answer: ArrayLike<number>) => Array.from(answer).filter((id) => id === 1).length,
    };
    // log E e^(r/β) of four independent tokens: 4·log((3 + e²)/4) at β = .5.
    const { objective } = closedFormOptimum(uniform, { task, beta: 0.5 });
    expect(objective).toBeCloseTo(0.5 * 4 * Math.log((3 + Math.exp(2)) / 4), 12);
  });
  it("gives the uniform policy no KL and one token of reward per four", () => {
    const values = exactValues(uniform, uniform, { task: COUNT_ONES_TASK, beta: 0.5 });
    expect(values.kl).toBe(0);
    expect(values.reward).toBeGreaterThan(1);
  });
});

const SHORT = {
  beta: 0.5,
  updates: 8,
  episodes: 64,
  model: { hiddenSize: 16, numLayers: 1 },
  config: { learningRate: 1e-2, epochs: 2 },
};

describe("runClosedFormCheck()", () => {
  for (const estimator of ["gae", "rloo", "grpo"] as const) {
    it(`${estimator} moves a uniform policy toward the optimum in a few updates`, async () => {
      const { optimum, reached, gap, gapOfReference } = await runClosedFormCheck({
        ...SHORT,
        runDir,
        estimator,
      });
      // The reference itself has J = E_ref[r]; eight short updates close over half of the gap.
      const start = optimum.objective - gapOfReference;
      expect(gap).toBeLessThan(gapOfReference / 2);
      expect(reached.objective).toBeGreaterThan(start);
      expect(gap).toBeGreaterThan(-1e-6);
      expect(reached.kl).toBeGreaterThan(0.1);
    });
  }

  for (const more of [{ critic: "shared" }, { loraRank: 4, learningRate: 3e-2 }] as const) {
    it(`${JSON.stringify(more)} moves it as well`, async () => {
      const config = { ...SHORT.config, ...more };
      const { gap, gapOfReference } = await runClosedFormCheck({ ...SHORT, runDir, config });
      expect(gap).toBeLessThan(gapOfReference / 2);
    });
  }

  it("logs the signals of every update, healthy at the start", async () => {
    await runClosedFormCheck({ ...SHORT, updates: 3, runDir });
    const lines = (await readFile(join(runDir, "metrics.jsonl"), "utf8")).trim().split("\n");
    const records = lines.map((line) => JSON.parse(line) as Record<string, number>);
    expect(records).toHaveLength(3);
    expect(Math.abs(records[0]!["kl"]!)).toBeLessThan(1e-6);
    for (const record of records) {
      expect(record["samplerLogProbError"]).toBeLessThan(1e-4);
      expect(record["firstRatioError"]).toBeLessThan(1e-4);
      expect(record["klCoef"]).toBe(0.5);
    }
    expect(records[2]!["kl"]).toBeGreaterThan(0);
  });

  for (const more of [{}, { klTarget: 0.3, klHorizon: 500, minibatches: 2 }]) {
    it(`stopped and resumed, ends bitwise as if never stopped ${JSON.stringify(more)}`, async () => {
      const options = { ...SHORT, updates: 6, config: { ...SHORT.config, ...more } };
      const whole = await runClosedFormCheck({ ...options, runDir: join(runDir, "whole") });
      const controller = new AbortController();
      const stopped = runClosedFormCheck({
        ...options,
        runDir: join(runDir, "parts"),
        signal: controller.signal,
        onUpdate: (update) => update === 3 && controller.abort(),
      });
      await expect(stopped).rejects.toThrow("[cancelled]");
      const resumed = await runClosedFormCheck({ ...options, runDir: join(runDir, "parts") });
      expect([...resumed.logProbs]).toEqual([...whole.logProbs]);
    });
  }

  it("asynchronous with η = 0 is the synchronous run to the bit", async () => {
    const of = (name: string, decoupled: boolean) =>
      runClosedFormCheck({
        ...SHORT,
        staleness: 0,
        config: { ...SHORT.config, decoupled },
        runDir: join(runDir, name),
      });
    const [plain, decoupled] = [await of("plain", false), await of("decoupled", true)];
    expect([...decoupled.logProbs]).toEqual([...plain.logProbs]);
  });

  it("with η = 4 learns from tokens of several versions, and loses little by it", async () => {
    const options = { ...SHORT, updates: 16, episodes: 128 };
    const fresh = await runClosedFormCheck({ ...options, runDir: join(runDir, "fresh") });
    const stale = await runClosedFormCheck({
      ...options,
      staleness: 4,
      runDir: join(runDir, "stale"),
    });
    expect(stale.gap).toBeLessThan(fresh.gap + 0.05);
    const lines = (await readFile(join(runDir, "stale", "metrics.jsonl"), "utf8")).trim();
    const updates = lines.split("\n").map((line) => JSON.parse(line) as Record<string, number>);
    expect(updates[0]!["staleness"]).toBe(0);
    expect(updates[10]!["staleness"]).toBe(2.5); // tokens of versions v − 4 … v − 1
    expect(updates[10]!["maxImportance"]).toBeGreaterThan(1);
    expect(updates[10]!["samplerLogProbError"]).toBe(0); // no token is of the weights that learn
  });

  it("leaks no tensor", async () => {
    const before = tf.memory().numTensors;
    await runClosedFormCheck({ ...SHORT, updates: 2, runDir });
    expect(tf.memory().numTensors).toBe(before);
  });
});
