import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createRandom, deriveSeed, present } from "@stagecraft/core";
import type { Model } from "@stagecraft/model";
import type { CheckScope, LearningCheck } from "./learning-check.js";
import { drawSortInput, openSortBatches, SORT_LENGTH, SORT_SYMBOLS } from "./sort-task.js";

const STEPS = 2000;
const BATCH_SIZE = 64;
const NUM_TESTS = 5000;

/** minGPT's sort demo with its gpt-nano: 3 layers, 3 heads, width 48, AdamW at 5e-4. */
export const sortCheck: LearningCheck = {
  name: "sort",
  summary: "minGPT's sort task (3L/3H/48): all of 5,000 held-out sequences sorted exactly",
  async run(scope) {
    const [{ createModel, presetConfig }, { initEngine }] = await Promise.all([
      import("@stagecraft/model"),
      import("@stagecraft/tensor"),
    ]);
    await initEngine({ numThreads: 1 }); // too small for two
    const config = presetConfig("gpt2", {
      vocabSize: SORT_SYMBOLS,
      hiddenSize: 48,
      numLayers: 3,
      numHeads: 3,
      maxPositions: 2 * SORT_LENGTH,
    });
    const model = createModel(config, { seed: scope.seed });
    try {
      const loss = await train(model, scope);
      const exact = await countExact(model, scope);
      return {
        figures: { loss, exact, tested: NUM_TESTS },
        bars: [{ name: "sequences sorted exactly", value: exact, atLeast: NUM_TESTS }],
      };
    } finally {
      model.dispose();
    }
  },
};

async function train(model: Model, { seed, runDir, signal, reporter }: CheckScope) {
  const [{ lmLoss }, { trainLoop, withRun }] = await Promise.all([
    import("@stagecraft/learn"),
    import("@stagecraft/runs"),
  ]);
  const { createOptimizer } = await import("@stagecraft/tensor");
  const trainingDir = join(runDir, "training");
  await rm(trainingDir, { recursive: true, force: true });
  const context = { runDir: trainingDir, resume: false, signal, reporter };
  const optimizer = createOptimizer(model.params, {
    kind: "adamw",
    beta1: 0.9,
    beta2: 0.95,
    eps: 1e-8,
    weightDecay: 0.1,
    clipNorm: 1,
  });
  const { metrics } = await withRun(
    { stage: { name: "sort" }, config: { seed }, context },
    async (run) => {
      const { loss } = await trainLoop(
        {
          stage: "sort",
          params: model.params,
          optimizer,
          source: openSortBatches({ batchSize: BATCH_SIZE, seed }),
          weight: (batch) => batch.numTargets,
          numTokens: (batch) => batch.ids.length,
          loss: (batch, denominator) => lmLoss(model, batch, denominator),
        },
        {
          steps: STEPS,
          accumulationSteps: 1,
          schedule: {
            kind: "constant",
            learningRate: 5e-4,
            warmupSteps: 0,
            totalSteps: STEPS,
            minRatio: 1,
          },
          logEvery: 100,
          evalEvery: 0,
          checkpointEvery: 0,
        },
        { run, context },
      );
      return { outputs: {}, metrics: present({ loss }) as Record<string, number> };
    },
  );
  optimizer.dispose();
  return metrics["loss"]!;
}

/** Greedy answers to inputs that were never trained on. */
async function countExact(model: Model, { seed, signal }: CheckScope): Promise<number> {
  const { generate } = await import("@stagecraft/model");
  const random = createRandom(deriveSeed(seed, "sort-test"));
  const inputs = Array.from({ length: NUM_TESTS }, () => drawSortInput(random, "test"));
  const params = { temperature: 0, maxNewTokens: SORT_LENGTH, seed };
  const answers = await generate(model, inputs, params, { batchSize: 256, signal });
  const isSorted = (input: Int32Array, i: number) =>
    answers[i]!.ids.join() === input.toSorted().join();
  return inputs.filter(isSorted).length;
}
