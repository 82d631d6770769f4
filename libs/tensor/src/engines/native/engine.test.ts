import { Worker } from "node:worker_threads";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it, vi } from "vitest";
import { loadNative } from "@stagecraft/tensor-native";
import { startNative } from "./start.js";
import {
  plainRope,
  decoderHidden,
  embedding,
  engineInfo,
  initEngine,
  linear,
  tf,
  tokenLogProbs,
  type DecoderTrunk,
} from "../../index.js";
import { largestDifference } from "../../testing/compare.js";
import { finiteDifference } from "../../testing/finite-difference.js";
import { createTensors } from "../../testing/random.js";
import type { NativeBackend } from "./backend.js";

await initEngine({ engine: "native" });
const backend = tf.backend() as NativeBackend;
const { addon } = backend;
const { simd, numThreads } = engineInfo();
const t = createTensors(8);

const kind = { norm: "rms", normEps: 1e-5 } as const;
const [D, F] = [32, 70];
const attention = {
  norm: { weight: t.vector(D, 0.1, 1) },
  q: { weight: t.matrix(D, D, 0.2) },
  k: { weight: t.matrix(D / 2, D, 0.2) },
  v: { weight: t.matrix(D / 2, D, 0.2) },
  o: { weight: t.matrix(D, D, 0.2) },
};
const attentionOptions = { ...kind, numHeads: 4, numKvHeads: 2 };
const mlp = {
  norm: attention.norm,
  gate: { weight: t.matrix(F, D, 0.2) },
  up: { weight: t.matrix(F, D, 0.2) },
  down: { weight: t.matrix(D, F, 0.2) },
};
const identity = Int32Array.from({ length: 111 }, (_, i) => i);
/** A one-layer model whose embedding is its input. */
const trunkOf = (embedding: tf.Tensor): DecoderTrunk => ({
  embedding: embedding as tf.Tensor2D,
  layers: [{ attention, mlp, rope: plainRope(1e4, D / 8) }],
  finalNorm: attention.norm,
  attentionOptions,
  mlpOptions: { ...kind, activation: "swiglu" },
});
const layout = { batchSize: 3, length: 37 };
const table = t.matrix(90, D, 0.3);
const targets = t.ids(111, 90, -1);

/** Its log-probs. */
function model(x: tf.Tensor2D): tf.Tensor {
  const y = decoderHidden(identity, trunkOf(x), layout);
  return tokenLogProbs(y, table, targets, { temperature: 1.2 }).logProbs;
}

afterAll(() => addon.configure({ simd, numThreads }));

describe("the native engine", () => {
  it("has the gradients that finite differences give", () => {
    const { analytic, numeric } = finiteDifference(model, t.matrix(111, D));
    expect(Math.abs(analytic - numeric)).toBeLessThan(2e-3 * Math.abs(numeric));
  });

  it("agrees with the definitions on every instruction set", () => {
    for (const name of ["avx512", "avx2", "neon", "baseline"]) {
      try {
        addon.configure({ simd: name });
      } catch {
        continue; // another machine's
      }
      const { error, where } = largestDifference(
        (f, { x, w }) => {
          const y = f.decoderHidden(identity, trunkOf(x as tf.Tensor), layout);
          return f.tokenLogProbs(y, w as tf.Tensor2D, targets).logProbs;
        },
        { x: t.matrix(111, D), w: table },
      );
      expect(error, `${name} ${where}`).toBeLessThan(2e-5);
    }
    addon.configure({ simd });
  });

  it("gives the same bits on any number of threads", () => {
    const gradient = tf.grad((x) => tf.sum(model(x as tf.Tensor2D)));
    const x = t.matrix(111, D);
    const results = [1, 2, 3].map((count) => {
      addon.configure({ numThreads: count });
      return tf.tidy(() => gradient(x).dataSync());
    });
    addon.configure({ numThreads });
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it("computes exp to 2 ulp", () => {
    const size = 20_000;
    const x = Float32Array.from({ length: size }, (_, i) => -87 + (i * 175) / size);
    const y = new Float32Array(size);
    addon.exp({ size, x, y });
    const ulps = y.map((value, i) => Math.abs(value / Math.exp(x[i] as number) - 1) / 2 ** -23);
    expect(Math.max(...ulps)).toBeLessThan(2);
    const edges = Float32Array.of(NaN, Infinity, -Infinity, 0, 89, -200);
    const out = new Float32Array(6);
    addon.exp({ size: 6, x: edges, y: out });
    expect([...out]).toEqual([NaN, Infinity, 0, 1, Infinity, 0]);
  });

  it("never changes values that were handed out or viewed", () => {
    const x = t.matrix(40, 30);
    const y = linear(x, t.matrix(20, 30));
    const read = y.dataSync();
    const z = linear(x, t.matrix(20, 30));
    const view = tf.slice(z, [3, 0], [5, 20]);
    const [before, viewed] = [read.slice(), view.arraySync()];
    tf.dispose([y, z]);
    for (let i = 0; i < 3; i++) linear(x, t.matrix(20, 30)).dispose();
    expect(read).toEqual(before);
    expect(view.arraySync()).toEqual(viewed);
  });

  it("allocates nothing new once training is steady", () => {
    const step = () =>
      tf.tidy(() => void tf.grad((x) => tf.sum(model(x as tf.Tensor2D)))(t.matrix(111, D)));
    for (let i = 0; i < 3; i++) step();
    const { numAllocated } = backend.buffers();
    for (let i = 0; i < 5; i++) step();
    expect(backend.buffers().numAllocated).toBe(numAllocated);
  });
});

describe("bad arguments", () => {
  it("name the operation and both shapes", () => {
    const x = t.matrix(6, 4);
    expect(() => linear(x, t.matrix(3, 5))).toThrow(
      "[invalid_argument] linear: linear.weight is [3, 5], expected [*, 4]",
    );
    expect(() => embedding(Int32Array.of(90), table)).toThrow("ids[0] is 90, outside 0 … 89");
    const wrong = { ...layout, length: 36 };
    const trunk = trunkOf(t.matrix(111, D));
    expect(() => decoderHidden(identity, trunk, wrong)).toThrow(
      "x has 111 rows, but the layout is 3 × 36",
    );
    expect(() => tokenLogProbs(t.matrix(2, D), table, Int32Array.of(1))).toThrow(
      "targets has 1 entries, expected 2",
    );
    const adapter = { a: t.matrix(2, F), b: t.matrix(D, 3), scale: 1 };
    const unfitting = {
      ...trunk,
      layers: [{ attention, mlp: { ...mlp, down: { ...mlp.down, adapter } } }],
    };
    expect(() => decoderHidden(identity, unfitting, layout)).toThrow(
      "down.adapter.b is [32, 3], expected [32, 2]",
    );
    const normless = { ...mlp, norm: { weight: t.vector(D + 1) } };
    const unfit = { ...trunk, layers: [{ attention, mlp: normless }] };
    expect(() => decoderHidden(identity, unfit, layout)).toThrow(
      "norm.weight is [33], expected [32]",
    );
    expect(() => decoderHidden(identity, trunk, layout, Int32Array.of(111))).toThrow(
      "rows[0] is 111, outside 0 … 110",
    );
  });

  it("are refused by the addon itself", () => {
    const [x, mapWeight] = [new Float32Array(6), new Float32Array(12)];
    const good = { rows: 2, in: 3, out: 4, mapWeight, x };
    const factors = { mapA: new Float32Array(6), mapB: new Float32Array(8), mapRank: 2 };
    const y = new Float32Array(8);
    expect(() => addon.linear({ ...good, y })).not.toThrow();
    const bad: [object, string][] = [
      [{ y: new Float32Array(7) }, "linear: y has 7 values, expected [2, 4] = 8"],
      [{ y: new Float64Array(8) }, "y is a Float64Array, expected a Float32Array"],
      [{ y: [1] }, "y must be a Float32Array"],
      [{ y, rows: -1 }, "rows is -1"],
      [{ y, rows: 1.5 }, "rows is 1.5"],
      [{ y, out: 2 ** 40 }, "out is"],
      [{ y, mapBias: new Float32Array(3) }, "mapBias has 3 values, expected 4"],
      [{ y, ...factors, mapB: y.slice(1) }, "mapB has 7 values, expected [4, 2] = 8"],
      [{ y, ...factors, mapRank: 3 }, "mapA has 6 values, expected [3, 3] = 9"],
      [{ y, ...factors }, "mapScale"],
    ];
    for (const [change, message] of bad) {
      expect(() => addon.linear({ ...good, ...change })).toThrow(message);
    }
    expect(() => addon.linear(undefined as never)).toThrow("linear: expects one object");
    const ids = Int32Array.of(0, 7);
    const lookup = { rows: 2, vocab: 7, width: 1, ids, table: new Float32Array(7) };
    expect(() => addon.embedding({ ...lookup, y: new Float32Array(2) })).toThrow("ids[1] is 7");
    expect(() => addon.appendDecoder({ session: {} })).toThrow("session is not a decoder");
  });

  it("are refused by the addon for every layer of a decoder", () => {
    const native = vi.spyOn(addon, "decoderLayers");
    const gradient = vi.spyOn(addon, "decoderLayersGrad");
    const rows = Int32Array.of(5, 3);
    const trunk = trunkOf(t.matrix(111, D));
    tf.tidy(() =>
      tf.grad((x) => tf.sum(decoderHidden(identity, trunkOf(x), layout, rows)))(trunk.embedding),
    );
    const [good, goodGradient] = [native.mock.calls[0]![0], gradient.mock.calls[0]![0]];
    native.mockRestore();
    gradient.mockRestore();
    const bad: [object, string][] = [
      [{ upWeight0: new Float32Array(3) }, "upWeight0 has 3 values, expected [70, 32] = 2240"],
      [{ numLayers: 2 }, "attended0 has 64 values, expected [111, 32] = 3552"],
      [{ hidden0: new Float32Array(7) }, "hidden0 has 7 values, expected [2, 140] = 280"],
      [{ ids: identity.map((id) => id + 1) }, "ids[110] is 111, outside 0 … 110"],
      [{ rows: Int32Array.of(0, 111) }, "rows[1] is 111, outside 0 … 110"],
      [{ numRows: 3 }, "rows has 2 values, expected 3"],
      [{ finalNormWeight: new Float32Array(31) }, "finalNormWeight has 31 values, expected 32"],
    ];
    for (const [change, message] of bad) {
      expect(() => addon.decoderLayers({ ...good, ...change })).toThrow(message);
      expect(() => addon.decoderLayersGrad({ ...goodGradient, ...change })).toThrow(message);
    }
    expect(() => addon.decoderLayersGrad({ ...goodGradient, stats0: undefined })).toThrow("stats0");
    expect(() => addon.decoderLayersGrad({ ...goodGradient, dnormWeight0: undefined })).toThrow(
      "dnormWeight0 must be a Float32Array",
    );
  });

  it("leave an absent addon as a reason, not an exception", () => {
    expect(loadNative("/nowhere/stagecraft.node")).toEqual({ reason: "the addon is not compiled" });
    const elf = createRequire(import.meta.url).resolve("vitest");
    expect(loadNative(`${elf}.node`)).toHaveProperty("reason");
  });

  it("say how to get an addon where there is none, or one of another ABI", async () => {
    const reason = "its ABI is 7";
    await expect(startNative({}, { reason })).rejects.toThrow(
      'engine "native" is not available: its ABI is 7; run `npm run setup`',
    );
  });
});

describe("worker threads", () => {
  it("use the engine at the same time and get the same bits", async () => {
    const file = fileURLToPath(
      new URL("../../../../tensor-native/build/stagecraft_native.node", import.meta.url),
    );
    const program = `
      const { parentPort, workerData } = require("node:worker_threads");
      const addon = require(workerData);
      const n = 96, x = new Float32Array(n * n).map((_, i) => Math.sin(i));
      const y = new Float32Array(n * n);
      for (let i = 0; i < 200; i++) addon.linear({ rows: n, in: n, out: n, x, mapWeight: x, y });
      parentPort.postMessage(y);`;
    const results = await Promise.all(
      [1, 2, 3].map(
        () =>
          new Promise<Float32Array>((resolve, reject) => {
            const worker = new Worker(program, { eval: true, workerData: file });
            worker.once("message", resolve).once("error", reject);
          }),
      ),
    );
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });
});
