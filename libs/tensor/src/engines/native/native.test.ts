import { describe, expect, it } from "vitest";
import { startTestEngine } from "../../../test/engine.js";
import { engineInfo, mergedWeight, tf, tokenLogProbs } from "../../index.js";
import { ATTENTION } from "../../testing/attention-cases.js";
import { plainRope } from "../../rope.js";
import type { Inputs } from "../../testing/compare.js";
import { expectClose } from "../../../test/expect-close.js";
import { createTensors } from "../../testing/random.js";
import { currentEngine } from "../current.js";

await startTestEngine("native");

const t = createTensors(3);

/** [rows, in, out]: single rows, odd widths, more than a register tile, more than one k block. */
const LINEAR_SHAPES = [
  [1, 1, 1],
  [1, 5, 33],
  [2, 17, 3],
  [15, 7, 65],
  [29, 64, 96],
  [120, 530, 40],
  [300, 33, 130],
] as const;

describe("operations against their definitions", () => {
  it("linear()", () => {
    for (const [rows, width, out] of LINEAR_SHAPES) {
      const inputs = { x: t.matrix(rows, width), w: t.matrix(out, width), b: t.vector(out) };
      expectClose(
        (f, { x, w, b }) =>
          f.linear(x as tf.Tensor2D, { weight: w as tf.Tensor2D, bias: b as tf.Tensor1D }),
        inputs,
      );
      expectClose((f, { x, w }) => f.linear(x as tf.Tensor2D, { weight: w as tf.Tensor2D }), {
        x: inputs.x,
        w: inputs.w,
      });
    }
  });

  it("linear() with adapters, of ranks within a panel and beyond, beyond a k block", () => {
    for (const [rows, width, out, rank] of [
      [1, 1, 1, 1],
      [15, 7, 65, 4],
      [29, 64, 96, 16],
      [75, 33, 40, 45],
      [6, 9, 10, 530],
    ] as const) {
      expectClose(
        (f, { x, weight, bias, a, b }) =>
          f.linear(x as tf.Tensor2D, {
            weight: weight as tf.Tensor2D,
            bias: bias as tf.Tensor1D,
            adapter: { a: a as tf.Tensor2D, b: b as tf.Tensor2D, scale: 0.75 },
          }),
        {
          ...{ x: t.matrix(rows, width), weight: t.matrix(out, width), bias: t.vector(out) },
          ...{ a: t.matrix(rank, width, 1 / rank), b: t.matrix(out, rank) },
        },
      );
    }
  });

  it.runIf(engineInfo().batchInvariant)(
    "linear() with an adapter has the bits of the merged weight",
    () => {
      for (const [width, out, rank] of [
        [33, 40, 3],
        [9, 10, 530],
      ] as const) {
        const [x, weight] = [t.matrix(7, width), t.matrix(out, width)];
        const adapter = { a: t.matrix(rank, width), b: t.matrix(out, rank), scale: 0.3 };
        const adapted = currentEngine().ops.linear(x, { weight, adapter });
        const merged = currentEngine().ops.linear(x, { weight: mergedWeight({ weight, adapter }) });
        expect(adapted.dataSync()).toEqual(merged.dataSync());
      }
    },
  );

  it("embedding()", () => {
    for (const [rows, vocab, width] of [
      [1, 1, 1],
      [9, 4, 33],
      [200, 50, 96],
    ] as const) {
      const ids = t.ids(rows, vocab);
      expectClose((f, { table }) => f.embedding(ids, table as tf.Tensor2D), {
        table: t.matrix(vocab, width),
      });
    }
  });

  it("norms", () => {
    for (const [rows, width] of [
      [1, 1],
      [3, 2],
      [70, 33],
      [130, 128],
    ] as const) {
      const inputs = {
        x: t.matrix(rows, width),
        w: t.vector(width, 0.2, 1),
        b: t.vector(width, 0.2),
      };
      expectClose(
        (f, { x, w }) =>
          f.norm(x as tf.Tensor2D, { weight: w as tf.Tensor1D }, { norm: "rms", normEps: 1e-5 }),
        { x: inputs.x, w: inputs.w },
      );
      if (width === 1) continue; // the variance of one number is 0: its gradient is rounding noise
      expectClose(
        (f, { x, w, b }) =>
          f.norm(
            x as tf.Tensor2D,
            { weight: w as tf.Tensor1D, bias: b as tf.Tensor1D },
            { norm: "layer", normEps: 1e-5 },
          ),
        inputs,
      );
    }
  });

  it("activations", () => {
    for (const width of [1, 31, 64]) {
      const inputs = { a: t.matrix(7, width, 3), b: t.matrix(7, width) };
      for (const kind of ["swiglu", "geglu"] as const) {
        expectClose((f, { a, b }) => f.gated(kind, a as tf.Tensor, b as tf.Tensor), inputs);
      }
      for (const kind of ["silu", "gelu", "gelu-erf", "relu", "tanh"] as const) {
        expectClose((f, { a }) => f.activate(kind, a as tf.Tensor), { a: inputs.a });
      }
    }
  });

  it("scaledSum()", () => {
    for (const size of [1, 3, 700]) {
      expectClose((f, { x }) => f.scaledSum(x as tf.Tensor1D, -1 / size), { x: t.vector(size) });
    }
  });

  it("rotary()", () => {
    for (const [rows, numHeads, size, pairs] of [
      [1, 1, 2, 1],
      [5, 3, 10, 5],
      [40, 2, 64, 32],
      [9, 3, 14, 4],
    ] as const) {
      const positions = t.ids(rows, 500);
      const rope = { ...plainRope(1e4, pairs), scale: 1.25 };
      expectClose((f, { x }) => f.rotary(x as tf.Tensor2D, positions, { numHeads, rope }), {
        x: t.matrix(rows, numHeads * size),
      });
    }
  });

  it("tokenLogProbs()", () => {
    for (const [rows, width, vocab] of [
      [1, 3, 2],
      [5, 16, 65],
      [33, 24, 700],
      [20, 40, 2100],
    ] as const) {
      const targets = t.ids(rows, vocab, -1);
      for (const [withEntropyGradient, softcap] of [
        [false, undefined],
        [true, undefined],
        [true, 2],
      ] as const) {
        const inputs = { h: t.matrix(rows, width), w: t.matrix(vocab, width, 0.5) };
        expectClose((f, { h, w }) => {
          const options = { temperature: 0.8, withEntropyGradient, ...(softcap && { softcap }) };
          const { logProbs, entropy } = f.tokenLogProbs(
            h as tf.Tensor2D,
            w as tf.Tensor2D,
            targets,
            options,
          );
          return withEntropyGradient ? tf.add(logProbs, tf.mul(entropy, 0.3)) : logProbs;
        }, inputs);
      }
    }
  });

  it("tokenLogProbs() without any target", () => {
    const inputs = { h: t.matrix(4, 8), w: t.matrix(9, 8) };
    expectClose(
      (f, { h, w }) =>
        f.tokenLogProbs(h as tf.Tensor2D, w as tf.Tensor2D, new Int32Array(4).fill(-1)).logProbs,
      inputs,
    );
  });
});

describe("a frozen weight", () => {
  it("leaves the hidden states' gradient the same bits, few targets or none", () => {
    const [hidden, values] = [t.matrix(33, 24), t.matrix(700, 24)];
    for (const targets of [t.ids(33, 700, -1), new Int32Array(33).fill(-1)]) {
      const gradient = (isTrained: boolean) => {
        const weight = tf.variable(values, isTrained);
        const grad = tf.grad((h) => tokenLogProbs(h as tf.Tensor2D, weight, targets).logProbs);
        const result = grad(hidden).dataSync();
        weight.dispose();
        return result;
      };
      expect(gradient(false)).toEqual(gradient(true));
    }
  });

  // Other engines form it all the same, where it is asked for.
  it.runIf(engineInfo().name === "native")("has no gradient", () => {
    const [hidden, weight] = [t.matrix(33, 24), tf.variable(t.matrix(700, 24), false)];
    const ofWeight = tf.grads(
      (w) => tokenLogProbs(hidden, w as tf.Tensor2D, t.ids(33, 700, -1)).logProbs,
    );
    expect(() => ofWeight([weight])).toThrow();
    weight.dispose();
  });
});

describe("attention against its definition", () => {
  it("causalAttention()", () => {
    for (const { layout, headSize, ...heads } of ATTENTION) {
      const rows = layout.batchSize * layout.length;
      const [q, k, v] = [heads.numHeads, heads.numKvHeads, heads.numKvHeads].map((n) =>
        t.matrix(rows, n * headSize),
      );
      expectClose(
        (f, { q, k, v }) =>
          f.causalAttention(q as tf.Tensor2D, k as tf.Tensor2D, v as tf.Tensor2D, layout, heads),
        { q, k, v } as Inputs,
      );
    }
  });
});
