import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createRandom, restoreRandom, type JsonObject, type RandomState } from "@stagecraft/core";
import { createOptimizer, initEngine, tf } from "@stagecraft/tensor";
import { silentReporter } from "../stage/reporter.js";
import { readRunRecord } from "../run/run-record.js";
import { withRun } from "../run/run.js";
import type { GradientExchange } from "./gradient-step.js";
import { accumulateGradients, takeLoss } from "./gradients.js";
import { trainLoop, type TrainTask } from "./train-loop.js";

interface Points {
  x: number[];
  y: number[];
}

/** Lines y = 3x + noise in batches of uneven size; the position is the generator's state. */
function pointSource() {
  let random = createRandom("points");
  return {
    next(): Promise<Points> {
      const x = Array.from({ length: 1 + random.nextInt(5) }, () => random.nextNormal());
      return Promise.resolve({ x, y: x.map((value) => 3 * value + 0.1 * random.nextNormal()) });
    },
    position: (): JsonObject => ({ random: [...random.state()] }),
    seek(position: JsonObject) {
      random = restoreRandom(position["random"] as unknown as RandomState);
      return Promise.resolve();
    },
  };
}

function lineTask(more: Partial<TrainTask<Points>> = {}) {
  const weight = tf.tidy(() => tf.variable(tf.scalar(0)));
  const params = new Map<string, tf.Variable>([["w", weight]]);
  const task: TrainTask<Points> = {
    stage: "line",
    params,
    optimizer: createOptimizer(params, {
      kind: "adamw",
      beta1: 0.9,
      beta2: 0.99,
      eps: 1e-8,
      weightDecay: 0,
    }),
    source: pointSource(),
    weight: (batch) => batch.x.length,
    numTokens: (batch) => batch.x.length,
    loss: (batch, denominator) =>
      tf.tidy(() =>
        tf.div(
          tf.sum(tf.square(tf.sub(tf.mul(weight, tf.tensor1d(batch.x)), tf.tensor1d(batch.y)))),
          denominator,
        ),
      ),
    ...more,
  };
  const dispose = () => {
    task.optimizer.dispose();
    weight.dispose();
  };
  return { task, value: () => weight.dataSync()[0]!, dispose };
}

let runDir: string;
beforeAll(() => initEngine({ numThreads: 1 }));
beforeEach(async () => {
  runDir = await mkdtemp(join(tmpdir(), "stagecraft-loop-"));
});
afterEach(() => rm(runDir, { recursive: true, force: true }));

const OPTIONS = {
  steps: 40,
  accumulationSteps: 2,
  schedule: {
    kind: "cosine",
    learningRate: 0.3,
    warmupSteps: 3,
    totalSteps: 40,
    minRatio: 0.1,
  } as const,
  logEvery: 3,
  evalEvery: 5,
  checkpointEvery: 7,
};

function train(
  task: TrainTask<Points>,
  more: {
    dir?: string;
    resume?: boolean;
    signal?: AbortSignal;
    onStep?: (step: number) => void;
    onWarning?: (message: string) => void;
  } = {},
) {
  const context = {
    runDir: more.dir ?? runDir,
    resume: more.resume ?? false,
    signal: more.signal ?? new AbortController().signal,
    reporter: silentReporter({
      progress: ({ done }) => more.onStep?.(done),
      warn: (message) => more.onWarning?.(message),
    }),
  };
  return withRun({ stage: { name: "line" }, config: { seed: 1 }, context }, async (run) => {
    const result = await trainLoop(task, OPTIONS, { run, context });
    return { outputs: {}, metrics: { loss: result.loss!, best: result.best?.value ?? 0 } };
  });
}

describe("accumulateGradients()", () => {
  it("gives the same gradient for 1×N and N×1 micro-batches of uneven size", async () => {
    const { task } = lineTask();
    const parts = await Promise.all(Array.from({ length: 5 }, () => task.source.next()));
    const whole = { x: parts.flatMap(({ x }) => x), y: parts.flatMap(({ y }) => y) };
    const many = accumulateGradients(task, parts);
    const one = accumulateGradients(task, [whole]);
    const norm = (grads: Map<string, tf.Tensor>) => grads.get("w")!.dataSync()[0]!;
    expect(Math.abs(norm(many.grads) / norm(one.grads) - 1)).toBeLessThan(1e-6); // float32 sums
    const loss = takeLoss(one.losses);
    expect(takeLoss(many.losses)).toBeCloseTo(loss, 5);
    // The mistake this guards against: averaging the micro-batches' own means.
    const naive = parts.map((part) => takeLoss(accumulateGradients(task, [part]).losses));
    expect(naive.reduce((sum, each) => sum + each / 5, 0)).not.toBeCloseTo(loss, 3);
  });
});

describe("trainLoop()", () => {
  it("learns, logs, evaluates and keeps the best", async () => {
    const saved: number[] = [];
    const { task, value } = lineTask();
    task.evaluate = () => Promise.resolve({ error: Math.abs(value() - 3) });
    task.best = {
      metric: "error",
      goal: "min",
      save: () => Promise.resolve(void saved.push(value())),
    };
    const { metrics } = await train(task);
    expect(Math.abs(value() - 3)).toBeLessThan(0.5);
    expect(Math.abs(saved.at(-1)! - 3)).toBe(metrics["best"]);
    const lines = (await readFile(join(runDir, "metrics.jsonl"), "utf8")).trim().split("\n");
    const records = lines.map((line) => JSON.parse(line) as { kind: string; step: number });
    const steps = (kind: string) => records.filter((r) => r.kind === kind).map((r) => r.step);
    expect(steps("train")).toEqual([3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 40]);
    expect(steps("eval")).toEqual([0, 5, 10, 15, 20, 25, 30, 35, 40]);
  });

  describe("choosing weights by a held-out figure", () => {
    /** Trains with the given figure at each evaluation; tells at which steps weights were kept. */
    async function choose(figure: (step: number) => number | undefined, name = "run") {
      const kept: number[] = [];
      const warnings: string[] = [];
      let step = 0;
      const { task } = lineTask();
      task.evaluate = () => {
        const error = figure(step);
        return Promise.resolve<Record<string, number>>(error === undefined ? {} : { error });
      };
      const save = () => Promise.resolve(void kept.push(step));
      task.best = { metric: "error", goal: "min", save };
      await train(task, {
        dir: join(runDir, name),
        onStep: (done) => (step = done),
        onWarning: (message) => warnings.push(message),
      });
      return { kept, warnings };
    }

    it("a figure that is absent or no number chooses nothing, and that is said once", async () => {
      for (const nothing of [undefined, NaN]) {
        const { kept, warnings } = await choose(() => nothing, String(nothing));
        expect(kept).toEqual([]);
        expect(warnings).toEqual([expect.stringContaining("error is undefined at step 0")]);
      }
    });

    it("never takes the weights from before the first step, and warns when none were better", async () => {
      const { kept, warnings } = await choose((step) => (step === 0 ? 0 : 100 - step));
      expect(kept).toEqual([5, 10, 15, 20, 25, 30, 35, 40]);
      expect(warnings).toEqual([expect.stringContaining("training did not improve error: 0.000")]);
    });

    it("is silent where training improved the figure", async () => {
      const { kept, warnings } = await choose((step) => Math.abs(20 - step));
      expect([kept, warnings]).toEqual([[5, 10, 15, 20], []]);
    });
  });

  it("passes every step's gradients through the exchange, weighted by what they are over", async () => {
    const weights: number[] = [];
    const exchange: GradientExchange = {
      mean: ({ loss, grads, weight }) => {
        weights.push(weight);
        tf.dispose([...grads.values()]);
        return Promise.resolve({ loss, weight, grads: new Map([["w", tf.scalar(0)]]) });
      },
    };
    const { task, value, dispose } = lineTask({ exchange });
    await train(task);
    expect(value()).toBe(0);
    expect(weights).toHaveLength(OPTIONS.steps);
    expect(Math.min(...weights)).toBeGreaterThanOrEqual(OPTIONS.accumulationSteps);
    dispose();
  });

  it("has no loss where there was nothing to learn from", async () => {
    const { task } = lineTask({ weight: () => 0 });
    await train(task);
    const text = await readFile(join(runDir, "metrics.jsonl"), "utf8");
    expect(text).toContain('"kind":"train"');
    expect(text).not.toContain('"loss"');
  });

  for (const stopAt of [1, 7, 12, 20, 39]) {
    it(`stopped at step ${stopAt} and resumed, ends bitwise as if never stopped`, async () => {
      const evaluated = () => {
        const line = lineTask();
        line.task.evaluate = () => Promise.resolve({ error: Math.abs(line.value() - 3) });
        return line;
      };
      const whole = evaluated();
      await train(whole.task, { dir: join(runDir, "whole") });
      const controller = new AbortController();
      const first = evaluated();
      const dir = join(runDir, "parts");
      const stopped = train(first.task, {
        dir,
        signal: controller.signal,
        onStep: (step) => step === stopAt && controller.abort(),
      });
      await expect(stopped).rejects.toThrow("[cancelled]");
      expect((await readRunRecord(dir))?.state).toBe("cancelled");
      const second = evaluated();
      await train(second.task, { dir, resume: true });
      expect(second.value()).toBe(whole.value());
      const strip = async (name: string) =>
        (await readFile(join(runDir, name, "metrics.jsonl"), "utf8")).replaceAll(
          /"tokensPerSecond":[^,}]+/g,
          "",
        );
      expect(await strip("parts")).toBe(await strip("whole"));
    });
  }

  it("continues exactly after a crash between checkpoints", async () => {
    const whole = lineTask();
    await train(whole.task, { dir: join(runDir, "whole") });
    const dir = join(runDir, "crash");
    const first = lineTask();
    const crash = train(first.task, {
      dir,
      onStep: (step) => {
        if (step === 17) throw new Error("power cut");
      },
    });
    await expect(crash).rejects.toThrow("power cut");
    const second = lineTask();
    await train(second.task, { dir, resume: true });
    expect(second.value()).toBe(whole.value());
  });

  it("stopped in the middle of an evaluation, repeats it on resume", async () => {
    const controller = new AbortController();
    const { task } = lineTask();
    let evaluations = 0;
    task.evaluate = () => {
      if (++evaluations === 3) controller.abort();
      if (controller.signal.aborted) return Promise.reject(new Error("stopped half-way"));
      return Promise.resolve({ error: 1 });
    };
    await expect(train(task, { signal: controller.signal })).rejects.toThrow("[cancelled]");
    const again = lineTask({ evaluate: () => Promise.resolve({ error: 2 }) });
    await train(again.task, { resume: true });
    const text = await readFile(join(runDir, "metrics.jsonl"), "utf8");
    expect(text.match(/"step":10,[^\n]*"kind":"eval","error":2/g)).toHaveLength(1);
    expect(text.match(/"kind":"eval"/g)).toHaveLength(9);
  });

  it("stops at a loss that is not finite and leaves the last good checkpoint", async () => {
    const { task, value } = lineTask();
    let calls = 0;
    const { loss } = task;
    let before = 0;
    task.loss = (batch, denominator) => {
      if (++calls < 2 * 20) return loss(batch, denominator);
      before = value();
      return tf.tidy(() => tf.mul(loss(batch, denominator), NaN));
    };
    await expect(train(task)).rejects.toThrow(/loss is NaN at step 20 of line.*step 14/);
    expect(value()).toBe(before);
    const resumed = lineTask();
    await train(resumed.task, { resume: true });
    expect(Math.abs(resumed.value() - 3)).toBeLessThan(0.5);
  });

  it("leaks no tensor", async () => {
    const { task } = lineTask();
    await train(task, { dir: join(runDir, "warm") });
    const before = tf.memory().numTensors;
    const again = lineTask();
    await train(again.task, { dir: join(runDir, "leak") });
    again.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});
