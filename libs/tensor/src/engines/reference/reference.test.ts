import { describe, expect, it } from "vitest";
import { startTestEngine } from "../../../test/engine.js";
import { tf } from "../../index.js";
import { createTensors } from "../../testing/random.js";
import { finiteDifference } from "../../testing/finite-difference.js";
import * as attention from "./attention.js";
import * as basics from "./basics.js";
import { tokenLogProbs } from "./log-probs.js";
import { attentionOf, mlpOf } from "../blocks.js";
import { plainRope } from "../../rope.js";
import { referenceOperations } from "./engine.js";

await startTestEngine("cpu");

const t = createTensors(7);
const layout = {
  batchSize: 2,
  length: 4,
  segments: Int32Array.of(1, 1, 2, 2, 1, 1, 1, 0),
  positions: Int32Array.of(0, 1, 0, 1, 0, 1, 2, 0),
};
const heads = { numHeads: 4, numKvHeads: 2 };
const attn = { ...heads, norm: "rms", normEps: 1e-5 } as const;
const turned = { frequencies: Float64Array.of(1, 0.3), scale: 1.2 };
const norm = { weight: t.vector(6, 0.3, 1), bias: t.vector(6, 0.3) };
const projection = (out: number, width: number) => ({
  weight: t.matrix(out, width, 0.4),
  bias: t.vector(out, 0.2),
});
const blockWeights = {
  norm: { weight: norm.weight },
  q: projection(16, 6),
  k: projection(8, 6),
  v: projection(8, 6),
  o: projection(6, 16),
};
const mlp = { norm, up: projection(10, 6), down: projection(6, 10) };
const targets = Int32Array.of(3, -1, 0, 8, 2, 2, -5, 1);
const table = t.matrix(9, 6);
const [five, gate] = [projection(5, 6), projection(10, 6)];
const q = t.matrix(8, 16);
const [k, v] = [t.matrix(8, 8), t.matrix(8, 8)];

const cases: Record<string, (x: tf.Tensor2D) => tf.Tensor> = {
  "embedding()": (x) => basics.embedding(Int32Array.of(1, 7, 1, 1, 0), x),
  "linear() in x": (x) => basics.linear(x, five),
  "rmsNorm()": (x) => basics.rmsNorm(x, norm.weight, 1e-5),
  "layerNorm()": (x) => basics.layerNorm(x, norm, 1e-5),
  "swiglu()": (x) => basics.gated("swiglu", x, tf.add(x, 1)),
  "geglu()": (x) => basics.gated("geglu", x, tf.add(x, 1)),
  ...Object.fromEntries(
    (["gelu", "gelu-erf", "silu", "tanh"] as const).map((name) => [
      `${name}()`,
      (x: tf.Tensor2D) => basics.activate(name, x),
    ]),
  ),
  "rotary()": (x) => attention.rotary(x, layout.positions, { numHeads: 3, rope: plainRope(10, 1) }),
  "rotary() of some dimensions": (x) =>
    attention.rotary(x, layout.positions, { numHeads: 1, rope: turned }),
  "causalAttention() in q, capped, near": (x) =>
    attention.causalAttention(tf.tile(x, [1, 2]), tf.tile(x, [1, 1]), x, layout, {
      ...{ numHeads: 4, numKvHeads: 2, scale: 0.7, softcap: 1.5, window: 2 },
    }),
  "causalAttention() in k": (x) =>
    attention.causalAttention(q, tf.concat([x, tf.slice(x, 0, [8, 2])], 1), v, layout, heads),
  "causalAttention() in v": (x) =>
    attention.causalAttention(q, k, tf.concat([x, tf.slice(x, 0, [8, 2])], 1), layout, heads),
  "attentionOf()": (x) =>
    attentionOf(
      referenceOperations,
      x,
      { attention: blockWeights, mlp, rope: plainRope(100, 2) },
      { layout, options: attn },
    ),
  "mlpOf() with gelu": (x) =>
    mlpOf(referenceOperations, x, mlp, { norm: "layer", normEps: 1e-5, activation: "gelu" }),
  "mlpOf() with swiglu": (x) =>
    mlpOf(
      referenceOperations,
      x,
      { ...mlp, gate },
      { norm: "layer", normEps: 1e-5, activation: "swiglu" },
    ),
  "tokenLogProbs()": (x) => tokenLogProbs(x, table, targets, { temperature: 0.7 }).logProbs,
  "tokenLogProbs(), capped": (x) =>
    tokenLogProbs(x, table, targets, { temperature: 0.7, softcap: 1.5 }).logProbs,
  "tokenLogProbs() entropy": (x) =>
    tokenLogProbs(x, table, targets, { withEntropyGradient: true }).entropy,
};

describe("reference gradients against finite differences", () => {
  for (const [name, f] of Object.entries(cases)) {
    it(name, () => {
      const x = createTensors(name.length).matrix(8, 6);
      const numTensors = tf.memory().numTensors;
      const { analytic, numeric } = finiteDifference(f, x);
      expect(tf.memory().numTensors).toBe(numTensors);
      expect(Math.abs(analytic - numeric)).toBeLessThan(2e-3 * Math.max(1, Math.abs(numeric)));
    });
  }
});

describe("tokenLogProbs()", () => {
  it("gives zero and no gradient for ignored rows, and no entropy gradient by default", () => {
    const hidden = t.matrix(8, 6);
    const { logProbs, entropy } = tokenLogProbs(hidden, table, targets);
    expect(Math.abs(logProbs.dataSync()[1] as number)).toBe(0); // either sign of zero
    expect(Math.abs(entropy.dataSync()[6] as number)).toBe(0);
    const gradient = tf.grad((x) =>
      tf.sum(tokenLogProbs(x as tf.Tensor2D, table, targets).entropy),
    );
    expect(tf.max(tf.abs(gradient(hidden))).dataSync()[0]).toBe(0);
  });
});

describe("causalAttention()", () => {
  it("yields zeros for padding and ignores other segments and later rows", () => {
    const rows = (values: tf.Tensor2D) =>
      attention.causalAttention(q, k, values, layout, heads).arraySync();
    const before = rows(v);
    expect(before[7]).toEqual(new Array(16).fill(0));
    const third = tf.oneHot(tf.tensor1d(new Int32Array(8).fill(3), "int32"), 8); // column 3 hot
    const row3 = tf.transpose(third as tf.Tensor2D); // row 3 hot
    const after = rows(tf.add(v, row3));
    const changed = after.map((row, i) => row.join() !== before[i]?.join());
    expect(changed).toEqual([false, false, false, true, false, false, false, false]);
  });
});
