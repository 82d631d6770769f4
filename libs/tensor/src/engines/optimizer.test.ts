import { describe, expect, it } from "vitest";
import { startTestEngine } from "../../test/engine.js";
import { createGradientAccumulator, createOptimizer, tf, valueAndGrads } from "../index.js";
import { optimizerDifference } from "../testing/optimizer-definition.js";
import type { AdamWConfig, OptimizerConfig } from "./optimizer.js";

await startTestEngine("auto");

const ADAMW: AdamWConfig = { kind: "adamw", beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1 };

function createParams() {
  const shared = Float32Array.of(1, -2, 3, 4);
  const matrix = tf.variable(tf.tensor2d(shared, [2, 2]));
  const vector = tf.variable(tf.tensor1d([0.5, -0.5]));
  return {
    shared,
    params: new Map<string, tf.Variable>([
      ["w", matrix],
      ["b", vector],
    ]),
  };
}

const gradsOf = () =>
  new Map<string, tf.Tensor>([
    ["w", tf.tensor2d([0.1, 0.2, -0.3, 0.4], [2, 2])],
    ["b", tf.tensor1d([1, -1])],
  ]);

describe("createOptimizer()", () => {
  it("takes PyTorch's AdamW steps and decays matrices only", () => {
    const { params } = createParams();
    const optimizer = createOptimizer(params, ADAMW);
    for (let i = 0; i < 2; i++) optimizer.step(gradsOf(), 0.1);
    // A constant gradient moves each weight by lr against its sign, after decay by 1 − lr·wd.
    const w = [0.7811, -2.1592, 3.1393, 3.7214].map((x, i) => [x, params.get("w")?.dataSync()[i]]);
    for (const [expected, actual] of w) expect(actual).toBeCloseTo(expected as number, 4);
    expect(params.get("b")?.dataSync()[0]).toBeCloseTo(0.3, 5);
  });

  it("computes the formulas", () => {
    const configs: OptimizerConfig[] = [
      { ...ADAMW, eps: 1e-6, clipNorm: 1 },
      { kind: "sgd", momentum: 0.9, weightDecay: 0.01 },
    ];
    for (const config of configs) {
      const { norm, param } = optimizerDifference(config);
      expect(norm).toBeLessThan(5e-4); // of 144, summed in float32
      expect(param).toBeLessThan(5e-6);
    }
  });

  it("clips by the global norm and reports the norm before clipping", () => {
    const { params } = createParams();
    const optimizer = createOptimizer(params, {
      kind: "sgd",
      momentum: 0,
      weightDecay: 0,
      clipNorm: 0.5,
    });
    const norm = Math.sqrt(0.01 + 0.04 + 0.09 + 0.16 + 2);
    expect(optimizer.step(gradsOf(), 1).gradNorm).toBeCloseTo(norm, 5);
    expect(params.get("b")?.dataSync()[0]).toBeCloseTo(0.5 - 0.5 / norm, 5);
  });

  it("never writes into the array that a variable was made from", () => {
    const { params, shared } = createParams();
    createOptimizer(params, ADAMW).step(gradsOf(), 0.1);
    expect([...shared]).toEqual([1, -2, 3, 4]);
    expect(params.get("w")?.dataSync()[0]).not.toBe(1);
  });

  it("continues exactly from its saved state", () => {
    const [one, two] = [createParams(), createParams()];
    const first = createOptimizer(one.params, ADAMW);
    first.step(gradsOf(), 0.1);
    const second = createOptimizer(two.params, ADAMW);
    second.load(first.state());
    for (const [key, variable] of one.params) two.params.get(key)?.assign(variable.clone());
    for (const optimizer of [first, second]) optimizer.step(gradsOf(), 0.1);
    expect(second.state()).toEqual(first.state());
    expect(two.params.get("w")?.dataSync()).toEqual(one.params.get("w")?.dataSync());
  });

  it("leaves everything unchanged when a gradient is not finite", () => {
    const { params } = createParams();
    const optimizer = createOptimizer(params, ADAMW);
    const bad = gradsOf().set("b", tf.tensor1d([NaN, 0]));
    expect(optimizer.step(bad, 0.1).gradNorm).toBeNaN();
    expect([...(params.get("w")?.dataSync() ?? [])]).toEqual([1, -2, 3, 4]);
    expect(optimizer.state().get("step")).toEqual(Float32Array.of(0));
  });

  it("names what does not fit", () => {
    const optimizer = createOptimizer(createParams().params, ADAMW);
    expect(() => optimizer.step(new Map([["q", tf.scalar(1)]]), 1)).toThrow('"q"');
    expect(() => optimizer.step(new Map([["b", tf.scalar(1)]]), 1)).toThrow(
      "[], the parameter [2]",
    );
    expect(() => optimizer.load(new Map())).toThrow('"m.w" is missing');
  });

  it("leaks no tensor", () => {
    const { params } = createParams();
    const optimizer = createOptimizer(params, ADAMW);
    optimizer.step(gradsOf(), 0.1);
    const grads = gradsOf();
    const before = tf.memory().numTensors;
    optimizer.step(grads, 0.1);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("createGradientAccumulator()", () => {
  it("sums micro-batches and hands the sums over", () => {
    const { params } = createParams();
    const before = tf.memory().numTensors;
    const accumulator = createGradientAccumulator();
    for (const scale of [1, 2]) {
      const loss = () => tf.sum(tf.mul(params.get("w") as tf.Tensor, scale)) as tf.Scalar;
      const { value, grads } = valueAndGrads(params, loss);
      value.dispose();
      expect([...grads.keys()]).toEqual(["w"]);
      accumulator.add(grads);
    }
    const sums = accumulator.take();
    expect(sums.get("w")?.dataSync()).toEqual(Float32Array.of(3, 3, 3, 3));
    tf.dispose([...sums.values()]);
    expect(tf.memory().numTensors).toBe(before);
  });
});
