/**
 * Every stage's step on the engine xla: one program, for batches of other contents too, and so no operation of its
 * own beside it. On a double of a plugin, which computes nothing; `npm run test:xla` runs it on one that does.
 */
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createRandom, StagecraftError } from "@stagecraft/core";
import { answerLogProbs, dpoLossTensor, lmLoss, rewardLoss } from "@stagecraft/learn";
import { addLora, createModel, judgeSequence, presetConfig, type Model } from "@stagecraft/model";
import { accumulateGradients, gradientStep } from "@stagecraft/runs";
import { createOptimizer, initEngine, programCounts, tf } from "@stagecraft/tensor";
import { countPrograms } from "@stagecraft/testing";
import { estimateAdvantages, type Experience } from "../src/batch/experience.js";
import { answerTokens } from "../src/batch/layout.js";
import { responseLogProbs } from "../src/batch/forward.js";
import { optimize } from "../src/update/optimize.js";
import type { OptimizeOptions, Trainees } from "../src/update/trainees.js";

vi.mock(
  "@stagecraft/tensor-xla",
  async () => (await import("@stagecraft/testing")).recordingPlugin,
);

const CONFIG = presetConfig("llama", {
  ...{ vocabSize: 12, hiddenSize: 16, numLayers: 1, numHeads: 2, maxPositions: 32 },
});
const ADAMW = { kind: "adamw", beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1 } as const;
const random = createRandom("recorded");
const ids = (length: number) => Int32Array.from({ length }, () => random.nextInt(12));

let model: Model;
beforeAll(() => initEngine({ engine: "xla" }));
beforeEach(() => {
  model = createModel(CONFIG, { seed: 1, heads: ["lm", "value", "score"] });
});
afterEach(() => model.dispose());

const diverged = () => new StagecraftError("aborted", "diverged");

const countSteps = (steps: readonly (() => unknown)[]) => countPrograms(programCounts, steps);

/** Training steps of a loss on batches, one micro-batch each. */
function stepsOn<B>(batches: readonly B[], loss: (batch: B) => tf.Scalar, params = model.params) {
  const optimizer = createOptimizer(params, { ...ADAMW, clipNorm: 1 });
  const task = { params, weight: () => 1, loss };
  return batches.map((batch, i) => () => {
    const options = { optimizer, learningRate: 0.1 / (i + 1), diverged };
    return gradientStep(accumulateGradients(task, [batch]), options);
  });
}

const ONCE = ["1 compiled, 1 run", "0 compiled, 1 run", "0 compiled, 1 run"];

/** Texts of three lengths in one row each; what is no target differs from batch to batch. */
const textBatch = (numTargets: number) => ({
  ...{ batchSize: 2, length: 16, numTargets, numTargetBytes: numTargets, ids: ids(32) },
  positions: Int32Array.from({ length: 32 }, (_, i) => i % 16),
  targets: ids(32).map((id, i) => (i < numTargets ? id : -1)),
  segments: new Int32Array(32).map((_, i) => (i % 16 < 10 + (numTargets % 3) ? 1 : 0)),
});

/** Rankings of three and of two answers. */
const rankings = (lengths: readonly number[]) => [
  {
    sequences: lengths.slice(0, 3).map((length) => ids(length)),
    ...{ lengths: [2, 2, 2], ranks: [1, 2, 3], targets: [1, 0.5, 0] },
    ...{ answerLengths: [2, 2, 2], refLogProbs: [-1, -2, -3] },
  },
  {
    sequences: lengths.slice(3).map((length) => ids(length)),
    ...{ lengths: [2, 2], ranks: [2, 1], targets: [0, 1] },
    ...{ answerLengths: [2, 3], refLogProbs: [-1, -2] },
  },
];
/** Short and long ones, and few: of one size all the same. */
const RANKINGS = [
  rankings([9, 11, 7, 12, 10]),
  rankings([4, 5, 4, 4, 4]),
  rankings([31, 9, 29, 30]),
];

describe("a step on xla is one program, compiled at the first, for batches small and large", () => {
  it("of a language model, however many tokens are learnt", async () => {
    const batches = [textBatch(17), textBatch(20), textBatch(24)];
    const steps = stepsOn(batches, (batch) => lmLoss(model, batch, batch.numTargets));
    expect(await countSteps(steps)).toEqual(ONCE);
  });

  it("of adapters", async () => {
    const lora = addLora(model, { rank: 2, alpha: 4, targets: ["q", "v"], seed: 1 });
    const batches = [textBatch(17), textBatch(20), textBatch(24)];
    const steps = stepsOn(batches, (batch) => lmLoss(lora, batch, 20), lora.params);
    expect(await countSteps(steps)).toEqual(ONCE);
  });

  for (const objective of ["ranking", "classification", "regression"] as const) {
    it(`of a reward model by ${objective}`, async () => {
      const options = { objective, centerCoef: 0.01, denominator: 2 };
      const steps = stepsOn(RANKINGS, (items) => rewardLoss(model, items, options));
      expect(await countSteps(steps)).toEqual(ONCE);
    });
  }

  it("of DPO", async () => {
    const steps = stepsOn(RANKINGS, (items) =>
      tf.tidy(() => {
        const options = { beta: 0.1, labelSmoothing: 0.1 };
        return dpoLossTensor(answerLogProbs(model, items), items, options);
      }),
    );
    expect(await countSteps(steps)).toEqual(ONCE);
  });

  it("of micro-batches: one program each, the optimizer with the last", async () => {
    const optimizer = createOptimizer(model.params, ADAMW);
    const loss = (batch: ReturnType<typeof textBatch>) => lmLoss(model, batch, 60);
    const task = { params: model.params, weight: () => 1, loss };
    const parts = () => [textBatch(17), textBatch(20), textBatch(24)];
    const step = () =>
      gradientStep(accumulateGradients(task, parts()), { optimizer, learningRate: 0.1, diverged });
    expect(await countSteps([step, step])).toEqual(["3 compiled, 3 run", "0 compiled, 3 run"]);
  });
});

const OPTIONS: OptimizeOptions = {
  ...{ padId: 0, maxTokens: 1000, temperature: 1, clipLow: 0.2, clipHigh: 0.2, dualClip: 3 },
  ...{ entropyCoef: 0.01, klLossCoef: 0.1, klEstimator: "k3", epochs: 1, minibatches: 1 },
  ...{ reduction: "token-mean", valueClipRange: 0.2, valueCoef: 0.1, targetKl: 0 },
  ...{ decoupled: true, importanceCap: 2, policyLearningRate: 0.1, criticLearningRate: 0.1 },
  ...{ trainPolicy: true, seed: 1, update: 0 },
};

/** Answers of these lengths to prompts of three tokens. */
function experience(lengths: readonly number[]): Experience[] {
  return lengths.map((length, i) => {
    const logProbs = Float32Array.from({ length }, () => -1 - random.nextFloat());
    const own = { behaviourLogProbs: logProbs, oldLogProbs: logProbs, refLogProbs: logProbs };
    return {
      ...{ ...answerTokens(ids(3), ids(length)), ...own, rolloutId: `r${i}`, group: i },
      ...{ score: random.nextNormal(), hasEos: true, staleness: new Int32Array(length) },
      values: new Float32Array(length),
    };
  });
}

/** Lengths of answers: of short and long batches. */
const BATCHES = [
  [9, 11, 7, 12],
  [1, 2],
  [28, 20, 8, 9, 4, 17],
];

function updates(trainees: Trainees) {
  const estimator = { estimator: "gae", gamma: 1, gaeLambda: 0.95, klCoef: 0.1 } as const;
  const white = { whitenAdvantages: true, whitenRewards: false };
  return BATCHES.map((lengths) => () => {
    const batch = experience(lengths);
    const estimates = estimateAdvantages(batch, { ...estimator, ...white });
    return optimize(trainees, batch, { estimates, options: OPTIONS });
  });
}

describe("a minibatch of PPO on xla", () => {
  it("is one program of the policy, one of the pre-training loss and one of the critic", async () => {
    const critic = createModel(CONFIG, { seed: 2, heads: ["value"] });
    const seen = await countSteps(
      updates({
        ...{ policy: model, policyOptimizer: createOptimizer(model.params, ADAMW) },
        ...{ critic, criticOptimizer: createOptimizer(critic.params, ADAMW) },
        ptxLoss: () => Promise.resolve(() => lmLoss(model, textBatch(20), 20)),
      }),
    );
    expect(seen).toEqual(["3 compiled, 3 run", "0 compiled, 3 run", "0 compiled, 3 run"]);
    critic.dispose();
  });

  it("is one program of a trunk that both share", async () => {
    const policyOptimizer = createOptimizer(model.params, ADAMW);
    const seen = await countSteps(updates({ policy: model, critic: model, policyOptimizer }));
    expect(seen).toEqual(ONCE);
  });

  it("judges log-probs by programs that are compiled once for a size", async () => {
    const judge = (lengths: readonly number[]) => () => {
      const sequences = lengths.map((length) => answerTokens(ids(3), ids(length)));
      return Promise.resolve(
        responseLogProbs(model, sequences, { padId: 0, maxTokens: 1000, temperature: 1 }),
      );
    };
    expect(await countSteps(BATCHES.map(judge))).toEqual(ONCE);
  });

  it("judges the tokens of sequences by programs that are compiled once for lengths of a size", async () => {
    const judge = (length: number) => () => judgeSequence(model, ids(length), { numTop: 1 });
    const [first, ...others] = await countSteps([judge(11), judge(30), judge(3)]);
    expect(first).toMatch(/compiled/);
    for (const each of others) expect(each).toMatch(/^0 compiled/);
  });
});
