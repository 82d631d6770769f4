/** What holds of the tensorflow engine alone; run by `npm run test:tensorflow`, skipped elsewhere. */
import { describe, expect, inject, it, vi } from "vitest";
import {
  createDecoder,
  createOptimizer,
  decoderHidden,
  engineInfo,
  initEngine,
  tf,
  tokenLogProbs,
  valueAndGrads,
} from "../src/index.js";
import { createTensors } from "../src/testing/random.js";

/** The part of TFJS-node's backend that counts what libtensorflow holds for us. */
interface NodeBackend {
  readSync(dataId: object): ArrayLike<unknown>;
  read(dataId: object): Promise<ArrayLike<unknown>>;
  binding: { TF_Version: string; getNumOfTensors(): number };
}
const backend = () => tf.backend() as unknown as NodeBackend;

/** How many floats reads by the host brought from the device while `f` ran; indices do not count. */
async function hostReads(f: () => unknown): Promise<Set<number>> {
  const spies = [vi.spyOn(backend(), "readSync"), vi.spyOn(backend(), "read")];
  await f();
  const results = spies.flatMap(({ mock }) => mock.results.map(({ value }) => value as unknown));
  spies.forEach((spy) => spy.mockRestore());
  const arrays = await Promise.all(results);
  return new Set(arrays.flatMap((array) => (array instanceof Float32Array ? array.length : [])));
}

const [V, D, B, T] = [11, 8, 2, 6];
const t = createTensors(4);
const ADAMW = { kind: "adamw", beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1 } as const;

function oneLayerModel() {
  const square = { q: [D, D], k: [D, D], v: [D, D], o: [D, D], up: [D, D], down: [D, D] };
  const shapes = { table: [V, D], ...square, norm: [D] };
  const params = new Map(
    Object.entries(shapes).map(([name, shape]) => [name, tf.variable(t.normal(shape, 0.3))]),
  );
  const weight = (name: string) => params.get(name) as tf.Variable<tf.Rank.R2>;
  const [ids, targets] = [t.ids(B * T, V), t.ids(B * T, V, -1)];
  const layout = { batchSize: B, length: T };
  const kind = { norm: "rms", normEps: 1e-5 } as const;
  const attentionOptions = { ...kind, numHeads: 2, numKvHeads: 2 };
  const mlpOptions = { ...kind, activation: "gelu" } as const;
  const trunkOf = () => {
    const linear = (name: string) => ({ weight: weight(name) });
    const norm = { weight: params.get("norm") as tf.Variable<tf.Rank.R1> };
    const [q, k, v, o] = [linear("q"), linear("k"), linear("v"), linear("o")];
    const [up, down] = [linear("up"), linear("down")];
    const layers = [{ attention: { norm, q, k, v, o }, mlp: { norm, up, down } }];
    const trunk = { embedding: weight("table"), layers, finalNorm: norm };
    return { ...trunk, attentionOptions, mlpOptions };
  };
  const loss = () => {
    const y = decoderHidden(ids, trunkOf(), layout);
    return tf.neg(tf.mean(tokenLogProbs(y, weight("table"), targets).logProbs)) as tf.Scalar;
  };
  return { params, loss, weights: { ...trunkOf(), lm: weight("table") } };
}

describe.runIf(inject("engine") === "tensorflow")("the tensorflow engine", () => {
  it("computes in libtensorflow, and keeps to it", async () => {
    expect(engineInfo().name).toBe("tensorflow");
    expect(tf.getBackend()).toBe("tensorflow");
    expect(backend().binding.TF_Version).toMatch(/^2\./);
    await expect(initEngine({ engine: "native" })).rejects.toThrow('"tensorflow" already runs');
  });

  it("leaves nothing behind after a training step, in TFJS or in libtensorflow", () => {
    const { params, loss } = oneLayerModel();
    const optimizer = createOptimizer(params, ADAMW);
    const step = () => {
      const { value, grads } = valueAndGrads(params, loss);
      optimizer.step(grads, 0.03);
      const lossValue = value.dataSync()[0] as number;
      tf.dispose([value, ...grads.values()]);
      return lossValue;
    };
    const count = () => [tf.memory().numTensors, backend().binding.getNumOfTensors()];
    const first = step();
    const before = count();
    let last = first;
    for (let i = 0; i < 20; i++) last = step();
    expect(count()).toEqual(before);
    expect(last).toBeLessThan(first * 0.8);
  });

  it("brings one number of an optimizer's step to the host, the norm", async () => {
    const { params, loss } = oneLayerModel();
    const optimizer = createOptimizer(params, { ...ADAMW, clipNorm: 1 });
    const { value, grads } = valueAndGrads(params, loss);
    expect(await hostReads(() => optimizer.step(grads, 0.03))).toEqual(new Set([1]));
    tf.dispose([value, ...grads.values()]);
    optimizer.dispose();
  });

  it("brings nothing of a decoder's step to the host but the logits", async () => {
    const decoder = createDecoder(oneLayerModel().weights, { maxSequences: 2, maxLength: 80 });
    const rows = [0, 1].map((slot) => ({ slot, ids: t.ids(T, V) }));
    for (let i = 0; i < 12; i++) {
      expect(await hostReads(() => decoder.append(rows))).toEqual(new Set([2 * V]));
      if (i === 6) decoder.fork(0, 1, 20); // so that rows are dropped, too
    }
    decoder.dispose();
  });
});
