import { beforeAll, describe, expect, it } from "vitest";
import { StagecraftError } from "@stagecraft/core";
import { createOptimizer, initEngine, tf } from "@stagecraft/tensor";
import { gradientStep, type GradientExchange, type Gradients } from "./gradient-step.js";

beforeAll(() => initEngine({ numThreads: 1 }));

function trainer() {
  const weight = tf.tidy(() => tf.variable(tf.scalar(1)));
  const params = new Map([["w", weight]]);
  const optimizer = createOptimizer(params, { kind: "sgd", momentum: 0, weightDecay: 0 });
  const options = {
    ...{ optimizer, learningRate: 0.5 },
    diverged: (what: string, value: number) => new StagecraftError("aborted", `${what} ${value}`),
  };
  const dispose = () => {
    optimizer.dispose();
    weight.dispose();
  };
  return { options, value: () => weight.dataSync()[0]!, dispose };
}

const gradients = (loss: number, grad: number, weight: number): Gradients => ({
  ...{ loss, weight },
  grads: new Map([["w", tf.scalar(grad)]]),
});

const unread = (loss: number, grad: number, weight: number) => ({
  ...{ losses: [tf.scalar(loss)], weight },
  grads: new Map([["w", tf.scalar(grad)]]),
});

/** Two trainers that wait for each other, and both go on with the weighted mean. */
function pair(): GradientExchange {
  let first: { own: Gradients; resolve(both: Gradients): void } | undefined;
  return {
    mean(own) {
      if (!first) return new Promise((resolve) => (first = { own, resolve }));
      const { own: other, resolve } = first;
      const weight = own.weight + other.weight;
      const mix = (a: number, b: number) => (a * own.weight + b * other.weight) / weight;
      const grad = mix(own.grads.get("w")!.dataSync()[0]!, other.grads.get("w")!.dataSync()[0]!);
      const loss = mix(own.loss, other.loss);
      tf.dispose([...own.grads.values(), ...other.grads.values()]);
      resolve(gradients(loss, grad, weight));
      return Promise.resolve(gradients(loss, grad, weight));
    },
  };
}

describe("gradientStep()", () => {
  it("steps by its own gradients when the trainer is alone, and leaks nothing", async () => {
    const before = tf.memory().numTensors;
    const { options, value, dispose } = trainer();
    expect(await gradientStep(unread(3, 1, 2), options)).toEqual({
      ...{ loss: 3, weight: 2, gradNorm: 1 },
    });
    expect(value()).toBe(0.5);
    dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("two trainers that exchange take one step: by the mean of both, each by its weight", async () => {
    const before = tf.memory().numTensors;
    const [a, b, exchange] = [trainer(), trainer(), pair()];
    const [one, two] = await Promise.all([
      gradientStep(unread(8, 4, 1), { ...a.options, exchange }),
      gradientStep(unread(0, 0, 3), { ...b.options, exchange }),
    ]);
    expect(one).toEqual({ loss: 2, weight: 4, gradNorm: 1 });
    expect(two).toEqual(one);
    expect([a.value(), b.value()]).toEqual([0.5, 0.5]);
    a.dispose();
    b.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("leaves the weights alone when loss or gradient is not finite", async () => {
    const { options, value, dispose } = trainer();
    await expect(gradientStep(unread(NaN, 1, 1), options)).rejects.toThrow("loss NaN");
    await expect(gradientStep(unread(1, Infinity, 1), options)).rejects.toThrow("gradient norm");
    expect(value()).toBe(1);
    dispose();
  });
});
