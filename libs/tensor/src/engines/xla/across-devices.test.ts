import { createRecordingClient } from "@stagecraft/testing";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { summedValueAndGrads } from "../../devices.js";
import { createTensors } from "../../testing/random.js";
import { tf } from "../../tf.js";
import { useEngine } from "../current.js";
import type { Engine } from "../engine.js";
import { startOn } from "./start.js";

const client = createRecordingClient({ numDevices: 2 });
let engine: Engine;
beforeAll(async () => {
  engine = await startOn(client);
  useEngine(engine);
});
beforeEach(() => {
  for (const list of [client.texts, client.calls, client.values]) list.length = 0;
});

const SGD = { kind: "sgd", momentum: 0, weightDecay: 0 } as const;

/** The sum of looked-up numbers; a part of a batch is some ids. */
function training() {
  const table = tf.tidy(() => tf.variable(createTensors(4).normal([5, 2])));
  const params = new Map([["table", table]]);
  const optimizer = engine.createOptimizer(params, SGD);
  const loss = (ids: readonly number[]) => () =>
    tf.tidy(() =>
      tf.sum(engine.ops.embedding(Int32Array.from(ids), table as tf.Tensor2D)),
    ) as tf.Scalar;
  const gradients = (...parts: number[][]) => summedValueAndGrads(params, parts.map(loss));
  const step = (...parts: number[][]) => {
    const { value, grads } = gradients(...parts);
    optimizer.step(grads, 0.1, [value]);
    tf.dispose([value, ...grads.values()]);
  };
  const dispose = () => {
    optimizer.dispose();
    table.dispose();
  };
  return { table, gradients, step, dispose };
}

describe("the parts of a batch on two devices", () => {
  it("are one program for both, which sums losses and gradients before the optimizer's step", () => {
    const { step, dispose } = training();
    step([4, 0, 4], [1, 2, 3]);
    expect(client.texts).toHaveLength(1);
    expect(client.texts[0]).toMatch(
      "module @stagecraft attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {",
    );
    const sums = client.texts[0]!.match(/.*"stablehlo.all_reduce".*/g);
    expect(sums?.map((line) => line.slice(line.indexOf("=") + 2, line.indexOf("({")))).toEqual([
      expect.stringMatching(/<\{replica_groups = dense<\[\[0, 1\]\]> : tensor<1x2xi64>\}>/),
      expect.stringMatching(/<\{replica_groups = dense<\[\[0, 1\]\]> : tensor<1x2xi64>\}>/),
    ]);
    expect(client.texts[0]!.indexOf("stablehlo.sqrt")).toBeGreaterThan(
      client.texts[0]!.lastIndexOf("all_reduce"), // the norm is that of the sum
    );
    dispose();
  });

  it("have numbers of their own, and the same weights", () => {
    const { step, table, dispose } = training();
    const weights = table.dataSync();
    step([4, 0, 4], [1, 2, 3]);
    const [first, second] = client.values;
    expect([first![0], second![0]]).toEqual([weights, weights]);
    expect([first!.at(-1), second!.at(-1)].map((ids) => [...ids!].slice(0, 3))).toEqual([
      [4, 0, 4],
      [1, 2, 3],
    ]);
    dispose();
  });

  it("have their copies of the weights counted as memory in use", () => {
    const before = engine.memory().usedBytes;
    const usedBy = (...parts: number[][]) => {
      const { step, dispose } = training();
      step(...parts);
      const bytes = engine.memory().usedBytes - before;
      dispose();
      return bytes;
    };
    const alone = usedBy([1, 2, 3, 4]);
    expect(alone).toBeGreaterThan(0);
    expect(usedBy([1, 2, 3, 4], [4, 3, 2, 1])).toBe(2 * alone);
    expect(engine.memory().usedBytes).toBe(before);
  });

  it("leave no buffer and no tensor behind, and go on from where they are", () => {
    const before = [tf.memory().numTensors, client.liveBuffers];
    const { step, dispose } = training();
    step([1, 2], [3, 4]);
    const held = [tf.memory().numTensors, client.liveBuffers];
    for (let i = 0; i < 10; i++) step([i % 5, 2], [3, 0]);
    expect([tf.memory().numTensors, client.liveBuffers]).toEqual(held);
    expect(client.texts).toHaveLength(1);
    dispose();
    expect([tf.memory().numTensors, client.liveBuffers]).toEqual(before);
  });

  it("go before and after work of one device on the same weights", () => {
    const { step, table, gradients, dispose } = training();
    step([1, 2], [3, 4]);
    tf.tidy(() => tf.sum(table).dataSync());
    const { value, grads } = gradients([1, 2, 3]);
    value.dataSync();
    tf.dispose([value, ...grads.values()]);
    step([0, 1], [0, 1]);
    expect(client.calls).toHaveLength(6); // two for each step
    dispose();
  });

  it("are refused by name when their shapes differ, or when there are more than devices", () => {
    const { gradients, dispose } = training();
    const numTensors = tf.memory().numTensors;
    expect(() => gradients([1, 2, 3], [1, 2])).toThrow(
      /unimplemented.*the 2 parts of a batch, one for each device, are not of equal shapes/,
    );
    expect(() => gradients([1], [2], [3])).toThrow("3 parts of a batch for 2 device(s)");
    expect(tf.memory().numTensors).toBe(numTensors);
    dispose();
  });

  it("cannot hand out what one part alone gave in the program that sums", () => {
    const { table, dispose } = training();
    const kept: tf.Tensor[] = [];
    const part = (id: number) => () => {
      const row = engine.ops.embedding(Int32Array.of(id), table as tf.Tensor2D);
      kept.push(tf.keep(tf.clone(row)));
      return tf.sum(row) as tf.Scalar;
    };
    const { value, grads } = summedValueAndGrads(new Map([["table", table]]), [part(1), part(2)]);
    expect(() => value.dataSync()).toThrow(/not what one part alone gives: train with devices 1/);
    tf.dispose([value, ...grads.values(), ...kept]);
    dispose();
  });

  it("are taken from large arrays as well", () => {
    const { step, dispose } = training();
    const many = (id: number) => new Array<number>(70_000).fill(id);
    step(many(1), many(2));
    expect(client.values.map((args) => args.at(-1)![0])).toEqual([1, 2]);
    dispose();
  });
});
