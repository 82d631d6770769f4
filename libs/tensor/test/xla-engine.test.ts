/** What holds of the engine xla alone; run by `npm run test:xla`, skipped elsewhere. */
import { describe, expect, inject, it } from "vitest";
import type { XlaBackend } from "../src/engines/xla/backend.js";
import {
  createOptimizer,
  decoderHidden,
  engineInfo,
  initEngine,
  memoryReport,
  numDevices,
  plainRope,
  summedValueAndGrads,
  tf,
  tokenLogProbs,
  valueAndGrads,
} from "../src/index.js";
import { createTensors } from "../src/testing/random.js";

const [V, D, B, T] = [11, 8, 2, 6];
const t = createTensors(4);
const ADAMW = { kind: "adamw", beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1 } as const;

function oneLayerModel() {
  const square = { q: [D, D], k: [D, D], v: [D, D], o: [D, D], up: [D, D], down: [D, D] };
  const shapes = { table: [V, D], ...square, norm: [D] };
  const params = new Map(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      tf.tidy(() => tf.variable(t.normal(shape, 0.3))),
    ]),
  );
  const weight = (name: string) => params.get(name) as tf.Variable<tf.Rank.R2>;
  const linear = (name: string) => ({ weight: weight(name) });
  const norm = { weight: params.get("norm") as tf.Variable<tf.Rank.R1> };
  const [q, k, v, o] = [linear("q"), linear("k"), linear("v"), linear("o")];
  const [up, down] = [linear("up"), linear("down")];
  const rope = plainRope(10_000, 2);
  const kind = { norm: "rms", normEps: 1e-5 } as const;
  const trunk = {
    embedding: weight("table"),
    layers: [{ attention: { norm, q, k, v, o }, mlp: { norm, up, down }, rope }],
    finalNorm: norm,
    attentionOptions: { ...kind, numHeads: 2, numKvHeads: 2 },
    mlpOptions: { ...kind, activation: "gelu" } as const,
  };
  const loss = (ids: Int32Array, targets: Int32Array, segments?: Int32Array) => {
    const y = decoderHidden(ids, trunk, { batchSize: B, length: T, ...(segments && { segments }) });
    return tf.neg(tf.mean(tokenLogProbs(y, weight("table"), targets).logProbs)) as tf.Scalar;
  };
  return { params, loss };
}

const backend = () => tf.backend() as unknown as XlaBackend;

function trainer() {
  const { params, loss } = oneLayerModel();
  const optimizer = createOptimizer(params, { ...ADAMW, clipNorm: 1 });
  const step = (learningRate = 0.03) => {
    const [ids, targets] = [t.ids(B * T, V), t.ids(B * T, V, -1)];
    const { value, grads } = valueAndGrads(params, () => loss(ids, targets));
    const { gradNorm } = optimizer.step(grads, learningRate, [value]);
    const lossValue = value.dataSync()[0]!;
    tf.dispose([value, ...grads.values()]);
    return { lossValue, gradNorm };
  };
  return { params, optimizer, step, loss };
}

describe.runIf(inject("engine") === "xla")("the engine xla", () => {
  it("computes on its plugin, and keeps to it", async () => {
    expect(engineInfo().name).toBe("xla");
    expect(tf.getBackend()).toBe("xla");
    await expect(initEngine({ engine: "native" })).rejects.toThrow('"xla" already runs');
  });

  it("runs one program a step, compiled at the first", () => {
    const { step } = trainer();
    step();
    const { counters } = backend().device;
    const before = { ...counters };
    for (let i = 0; i < 5; i++) step(0.01 * i);
    expect(counters).toEqual({ ...before, executed: before.executed + 5 });
  });

  it("holds as many buffers, bytes and tensors after 500 steps as after one", () => {
    const { step } = trainer();
    step();
    const count = () => [
      backend().client.liveBuffers,
      memoryReport().usedBytes,
      tf.memory().numTensors,
    ];
    const first = count();
    for (let i = 0; i < 500; i++) step();
    expect(count()).toEqual(first);
  });

  it("leaves weights and moments alone when the loss or the norm is not finite", () => {
    const { params, optimizer } = trainer();
    const values = () => [...params.values()].map((variable) => [...variable.dataSync()]);
    const before = values();
    const grads = (value: number) =>
      new Map([...params].map(([key, { shape }]) => [key, tf.fill(shape, value)]));
    expect(optimizer.step(grads(Infinity), 0.1).gradNorm).toBe(Infinity);
    optimizer.step(grads(1), 0.1, [tf.scalar(NaN)]);
    expect(values()).toEqual(before);
    expect(optimizer.state().get("step")).toEqual(Float32Array.of(0));
    expect(
      optimizer
        .state()
        .get("m.table")!
        .every((moment) => moment === 0),
    ).toBe(true);
    optimizer.step(grads(1), 0.1, [tf.scalar(1)]);
    expect(values()).not.toEqual(before);
  });

  it("goes on from a stored state as if never stopped, to the bit", () => {
    const batches = Array.from({ length: 6 }, () => [t.ids(B * T, V), t.ids(B * T, V)] as const);
    const { params, optimizer, loss } = trainer();
    const run = (some: typeof batches, using = optimizer) => {
      for (const [ids, targets] of some) {
        const { value, grads } = valueAndGrads(params, () => loss(ids, targets));
        using.step(grads, 0.03, [value]);
        tf.dispose([value, ...grads.values()]);
      }
    };
    const values = () => [...params.values()].map((variable) => variable.dataSync().slice());
    run(batches.slice(0, 3));
    const [stored, state] = [values(), optimizer.state()];
    run(batches.slice(3));
    const whole = values();
    [...params.values()].forEach((variable, i) =>
      tf.tidy(() => variable.assign(tf.tensor(stored[i]!, variable.shape))),
    );
    const resumed = createOptimizer(params, { ...ADAMW, clipNorm: 1 });
    resumed.load(state);
    run(batches.slice(3), resumed);
    expect(values()).toEqual(whole);
  });

  it("trains by parts of a batch, a device each, as by one part after the other", (context) => {
    if (numDevices() < 2) context.skip("the plugin shows one device");
    const batches = Array.from(
      { length: 12 },
      () => [t.ids(B * T, V), t.ids(B * T, V, -1)] as const,
    );
    const [alone, together] = [trainer(), trainer()];
    for (const [key, variable] of together.params) variable.assign(alone.params.get(key)!);
    const partsOf = ({ loss }: typeof alone, i: number) =>
      batches.slice(2 * i, 2 * i + 2).map(
        ([ids, targets]) =>
          () =>
            loss(ids, targets),
      );
    const held: number[] = [];
    for (let i = 0; i < 6; i++) {
      const first = summedValueAndGrads(together.params, partsOf(together, i));
      const { gradNorm } = together.optimizer.step(first.grads, 0.03, [first.value]);
      const second = valueAndGrads(alone.params, () =>
        tf.tidy(() => tf.addN(partsOf(alone, i).map((part) => part()))),
      );
      expect(gradNorm).toBeCloseTo(alone.optimizer.step(second.grads, 0.03).gradNorm, 5);
      expect(first.value.dataSync()[0]).toBeCloseTo(second.value.dataSync()[0]!, 5);
      for (const { value, grads } of [first, second]) tf.dispose([value, ...grads.values()]);
      held.push(backend().client.liveBuffers);
    }
    for (const [key, variable] of together.params) {
      const expected = alone.params.get(key)!.dataSync();
      variable.dataSync().forEach((value, at) => expect(value).toBeCloseTo(expected[at]!, 5));
    }
    expect(new Set(held.slice(1)).size).toBe(1);
  });

  it("has ids, targets and segments as inputs of its program", () => {
    const { loss } = trainer();
    const value = (segments: Int32Array) => {
      const scalar = loss(t.ids(B * T, V), t.ids(B * T, V), segments);
      const [number] = scalar.dataSync();
      scalar.dispose();
      return number;
    };
    value(new Int32Array(B * T).fill(1));
    const { compiled } = backend().device.counters;
    const segments = Int32Array.from({ length: B * T }, (_, i) => (i % T > 2 ? 2 : 1));
    expect(value(segments)).not.toBeNaN();
    expect(backend().device.counters.compiled).toBe(compiled);
  });
});
