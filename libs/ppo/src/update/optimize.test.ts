import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createRandom } from "@stagecraft/core";
import type { GradientExchange } from "@stagecraft/runs";
import { createModel, presetConfig, type Model } from "@stagecraft/model";
import { initEngine, tf, valueAndGrads, type Optimizer } from "@stagecraft/tensor";
import { estimateAdvantages, type Experience } from "../batch/experience.js";
import { answerTokens } from "../batch/layout.js";
import { responseLogProbs, responseValues } from "../batch/forward.js";
import { optimize } from "./optimize.js";
import type { OptimizeOptions, Trainees } from "./trainees.js";

const config = presetConfig("llama", {
  vocabSize: 12,
  hiddenSize: 16,
  numLayers: 1,
  numHeads: 2,
  maxPositions: 32,
});
const FORWARD = { padId: 0, maxTokens: 1000, temperature: 1 };
let policy: Model;
let critic: Model;
beforeAll(() => initEngine({ numThreads: 1 }));
beforeEach(() => {
  policy = createModel(config, { seed: 1 });
  critic = createModel(config, { seed: 2, heads: ["value"] });
});
afterEach(() => {
  policy.dispose();
  critic.dispose();
});

/** An optimizer that keeps the gradients it is given and moves nothing. */
function recorder(): Optimizer & { grads: Map<string, Float32Array>[] } {
  const grads: Map<string, Float32Array>[] = [];
  return {
    grads,
    step(given, _learningRate, losses = []) {
      if (!losses.every((loss) => Number.isFinite(loss.dataSync()[0]))) return { gradNorm: 1 };
      grads.push(
        new Map([...given].map(([name, grad]) => [name, grad.dataSync().slice() as Float32Array])),
      );
      return { gradNorm: 1 };
    },
    state: () => new Map(),
    load: () => undefined,
    dispose: () => undefined,
  };
}

/** Answers of uneven lengths with the model's own log-probs as the sampler's. */
function experience(): Experience[] {
  const random = createRandom("experience");
  const ids = (length: number) => Int32Array.from({ length }, () => random.nextInt(12));
  const sequences = [7, 1, 3, 5, 2, 4].map((length) =>
    answerTokens(ids(1 + random.nextInt(4)), ids(length)),
  );
  const logProbs = responseLogProbs(policy, sequences, FORWARD);
  const values = responseValues(critic, sequences, FORWARD);
  return sequences.map((sequence, i) => ({
    ...sequence,
    rolloutId: `r${i}`,
    group: i,
    score: random.nextNormal(),
    hasEos: true,
    behaviourLogProbs: logProbs[i]!,
    staleness: new Int32Array(sequence.trained.length),
    oldLogProbs: logProbs[i]!,
    refLogProbs: logProbs[i]!.map((value) => value + 0.1 * random.nextNormal()),
    values: values[i]!,
  }));
}

const OPTIONS: OptimizeOptions = {
  ...FORWARD,
  clipLow: 0.2,
  clipHigh: 0.2,
  dualClip: 0,
  entropyCoef: 0.01,
  klLossCoef: 0,
  klEstimator: "k3",
  epochs: 1,
  minibatches: 1,
  reduction: "token-mean",
  valueClipRange: 0.2,
  valueCoef: 0.1,
  targetKl: 0,
  decoupled: false,
  importanceCap: 0,
  policyLearningRate: 1,
  criticLearningRate: 1,
  trainPolicy: true,
  seed: 1,
  update: 0,
};
const ADVANTAGES = {
  estimator: "gae",
  gamma: 1,
  gaeLambda: 0.95,
  whitenAdvantages: true,
  whitenRewards: false,
  klCoef: 0.1,
} as const;

async function run(more: Partial<OptimizeOptions> = {}, trainees: Partial<Trainees> = {}) {
  const batch = experience();
  const [policyOptimizer, criticOptimizer] = [recorder(), recorder()];
  const signals = await optimize(
    { policy, critic, policyOptimizer, criticOptimizer, ...trainees },
    batch,
    { estimates: estimateAdvantages(batch, ADVANTAGES), options: { ...OPTIONS, ...more } },
  );
  return { signals, policy: policyOptimizer.grads, critic: criticOptimizer.grads };
}

function expectEqual(a: Map<string, Float32Array>, b: Map<string, Float32Array>, tolerance = 1e-6) {
  expect([...a.keys()]).toEqual([...b.keys()]);
  for (const [name, values] of a) {
    values.forEach((value, i) =>
      expect(Math.abs(value - b.get(name)![i]!), name).toBeLessThan(tolerance),
    );
  }
}

describe("optimize()", () => {
  it("passes the gradients of policy and critic through the exchange, by tokens or answers", async () => {
    for (const [reduction, weight] of [
      ["token-mean", 22],
      ["sequence-mean", 6],
    ] as const) {
      const weights: number[] = [];
      const exchange: GradientExchange = {
        mean(own) {
          weights.push(own.weight);
          return Promise.resolve(own);
        },
      };
      await run({ reduction, maxTokens: 6 }, { exchange });
      expect(weights).toEqual([weight, weight]);
    }
  });

  for (const reduction of ["token-mean", "sequence-mean"] as const) {
    it(`${reduction}: gradients do not depend on micro-batches of uneven lengths`, async () => {
      const one = await run({ reduction });
      const many = await run({ reduction, maxTokens: 6 });
      expectEqual(one.policy[0]!, many.policy[0]!);
      expectEqual(one.critic[0]!, many.critic[0]!);
      expect(many.signals.entropy).toBeCloseTo(one.signals.entropy, 5);
    });
  }

  it("starts with a ratio of exactly 1 up to rounding, and no clipping", async () => {
    const { signals } = await run();
    expect(signals.firstRatioError).toBeLessThan(1e-5);
    expect(signals.samplerLogProbError).toBeLessThan(1e-5);
    expect(signals.clipFraction).toBe(0);
    expect(signals.approxKl).toBeLessThan(1e-9);
  });

  it("adds the ptx gradient: grad(total) = grad(PPO) + γ·grad(CE)", async () => {
    const batch = { ids: Int32Array.of(1, 2, 3, 4), targets: Int32Array.of(2, 3, 4, 5) };
    const text = { ...batch, batchSize: 1, length: 4 };
    const gamma = 3;
    const ce = (scale: number) => () =>
      tf.tidy(() => tf.mul<tf.Scalar>(tf.sum(policy.logProbs(text).logProbs), -scale / 4));
    const plain = await run();
    const { value, grads } = valueAndGrads(policy.params, ce(1));
    const mixed = await run({}, { ptxLoss: () => Promise.resolve(ce(gamma)) });
    expect(mixed.signals.ptxLoss).toBeCloseTo(gamma * value.dataSync()[0]!, 5);
    const expected = new Map(
      [...plain.policy[0]!].map(([name, values]) => {
        const extra = grads.get(name)!.dataSync();
        return [name, values.map((v, i) => v + gamma * extra[i]!)];
      }),
    );
    expectEqual(mixed.policy[0]!, expected);
    tf.dispose([value, ...grads.values()]);
  });

  it("shared trunk: one step with the sum of both gradients, each weighed once", async () => {
    const both = createModel(config, { seed: 1, heads: ["lm", "value"] });
    try {
      const critic = { critic: both };
      const parts = { policy: both, critic: both, criticOptimizer: undefined } as never;
      const joint = await run({ valueCoef: 0.3 }, parts);
      const policyAlone = await run({}, { policy: both });
      const valueAlone = await run({ valueCoef: 0.3, trainPolicy: false }, critic);
      expect(joint.policy).toHaveLength(1);
      const expected = new Map(
        [...joint.policy[0]!.keys()].map((name) => {
          const [p, v] = [policyAlone.policy[0]!.get(name), valueAlone.critic[0]!.get(name)];
          const zeros = new Float32Array(both.params.get(name)!.size);
          return [name, (p ?? zeros).map((value, i) => value + (v ?? zeros)[i]!)];
        }),
      );
      expectEqual(joint.policy[0]!, expected, 1e-5);
    } finally {
      both.dispose();
    }
  });

  it("is plain PPO when decoupled weights are all 1", async () => {
    const [plain, decoupled] = [await run(), await run({ decoupled: true })];
    expectEqual(plain.policy[0]!, decoupled.policy[0]!, 1e-9);
  });

  it("trains the critic alone while it warms up", async () => {
    const { policy: steps, critic: criticSteps, signals } = await run({ trainPolicy: false });
    expect(steps).toHaveLength(0);
    expect(criticSteps).toHaveLength(1);
    expect(signals.entropy).toBeGreaterThan(1);
  });

  it("makes epochs × minibatches steps in an order of the update's own", async () => {
    const first = await run({ epochs: 3, minibatches: 2 });
    expect(first.policy).toHaveLength(6);
    const again = await run({ epochs: 3, minibatches: 2 });
    expectEqual(first.policy[5]!, again.policy[5]!, 1e-12);
    const other = await run({ epochs: 3, minibatches: 2, update: 1 });
    const name = [...other.policy[0]!.keys()][0]!;
    expect([...other.policy[0]!.get(name)!]).not.toEqual([...first.policy[0]!.get(name)!]);
  });

  it("refuses a loss that is not finite before it touches the weights", async () => {
    const weights = [...policy.tensors().values()].map(({ data }) => [...(data as Float32Array)]);
    const batch = experience().map((item, i) => (i === 2 ? { ...item, score: Infinity } : item));
    const optimizer = recorder();
    const bad = optimize({ policy, policyOptimizer: optimizer }, batch, {
      estimates: estimateAdvantages(batch, { ...ADVANTAGES, whitenAdvantages: false }),
      options: OPTIONS,
    });
    await expect(bad).rejects.toThrow("PPO has diverged");
    expect(optimizer.grads).toHaveLength(0);
    expect([...policy.tensors().values()].map(({ data }) => [...(data as Float32Array)])).toEqual(
      weights,
    );
  });

  it("stays finite and deaf to a token whose log-prob the sampler made up", async () => {
    const lie = (item: Experience) => {
      const logProbs = item.oldLogProbs.slice().fill(-103, 0, 1);
      return { ...item, oldLogProbs: logProbs, behaviourLogProbs: logProbs };
    };
    for (const decoupled of [false, true]) {
      const [honest, lied] = [experience(), experience().map((x, i) => (i === 0 ? lie(x) : x))];
      const optimizer = recorder();
      const trainees = { policy, policyOptimizer: optimizer };
      const estimates = estimateAdvantages(honest, ADVANTAGES);
      estimates.advantages.forEach((row) => row.fill(-1));
      const options = { ...OPTIONS, decoupled };
      await optimize(trainees, lied, { estimates, options });
      for (const values of optimizer.grads[0]!.values()) {
        for (const value of values) expect(Math.abs(value)).toBeLessThan(100);
      }
    }
  });

  it("leaks no tensor", async () => {
    await run();
    const before = tf.memory().numTensors;
    await run({ maxTokens: 6, minibatches: 2 });
    expect(tf.memory().numTensors).toBe(before);
  });
});
