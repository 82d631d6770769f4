import { describe, expect, inject, it } from "vitest";
import { startTestEngine } from "../../test/engine.js";
import { tf } from "../index.js";
import {
  evaluate,
  implementationUnderTest,
  largestDifference,
  type Inputs,
} from "../testing/compare.js";
import { createTensors } from "../testing/random.js";
import type { AttentionBlockOptions, MlpBlockOptions, SequenceLayout } from "../types.js";

await startTestEngine("native");

// fp32 sums in another order: some ten ulp of the largest element.
const TOLERANCE = 2e-5;

const t = createTensors(3);

function expectClose(operation: Parameters<typeof largestDifference>[0], inputs: Inputs) {
  const before = tf.memory().numTensors;
  const { error, where } = largestDifference(operation, inputs);
  expect(error, where).toBeLessThan(TOLERANCE);
  expect(tf.memory().numTensors).toBe(before);
}

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
      expectClose((f, { a, b }) => f.swiglu(a as tf.Tensor, b as tf.Tensor), inputs);
      expectClose((f, { a }) => f.gelu(a as tf.Tensor), { a: inputs.a });
    }
  });

  it("rotary()", () => {
    for (const [rows, numHeads, size] of [
      [1, 1, 2],
      [5, 3, 10],
      [40, 2, 64],
    ] as const) {
      const positions = t.ids(rows, 500);
      expectClose((f, { x }) => f.rotary(x as tf.Tensor2D, positions, { numHeads, theta: 1e4 }), {
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
      for (const withEntropyGradient of [false, true]) {
        const inputs = { h: t.matrix(rows, width), w: t.matrix(vocab, width, 0.5) };
        expectClose((f, { h, w }) => {
          const options = { temperature: 0.8, withEntropyGradient };
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

interface AttentionCase {
  layout: SequenceLayout;
  numHeads: number;
  numKvHeads: number;
  headSize: number;
}

const packed = (batchSize: number, length: number): SequenceLayout => {
  const segments = new Int32Array(batchSize * length);
  const positions = new Int32Array(batchSize * length);
  for (let b = 0; b < batchSize; b++) {
    let [segment, position] = [1, 0];
    for (let i = b * length; i < (b + 1) * length; i++) {
      if (t.random.nextInt(12) === 0) [segment, position] = [segment + 1, 0];
      segments[i] = i % length > length - 3 ? 0 : segment; // padding at the end
      positions[i] = position++;
    }
  }
  return { batchSize, length, segments, positions };
};

const ATTENTION: AttentionCase[] = [
  { layout: { batchSize: 1, length: 1 }, numHeads: 1, numKvHeads: 1, headSize: 2 },
  { layout: { batchSize: 3, length: 7 }, numHeads: 3, numKvHeads: 3, headSize: 6 },
  { layout: { batchSize: 2, length: 64 }, numHeads: 4, numKvHeads: 4, headSize: 32 },
  { layout: { batchSize: 1, length: 131 }, numHeads: 4, numKvHeads: 2, headSize: 20 },
  { layout: packed(2, 50), numHeads: 4, numKvHeads: 1, headSize: 40 },
  { layout: packed(1, 150), numHeads: 2, numKvHeads: 2, headSize: 64 },
  {
    layout: { batchSize: 2, length: 5, segments: new Int32Array(10) },
    numHeads: 2,
    numKvHeads: 1,
    headSize: 4,
  },
  {
    layout: { batchSize: 1, length: 6, segments: Int32Array.of(0, 0, 1, 2, 1, 2) },
    numHeads: 1,
    numKvHeads: 1,
    headSize: 3,
  },
];

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

  it("attentionBlock()", () => {
    for (const { layout, headSize, ...heads } of ATTENTION) {
      for (const norm of ["rms", "layer"] as const) {
        const options: AttentionBlockOptions = { ...heads, norm, normEps: 1e-5 };
        if (headSize % 2 === 0 && norm === "rms") options.ropeTheta = 1e4;
        expectClose(
          blockOf(layout, options),
          blockInputs(layout, heads, headSize, norm === "layer"),
        );
      }
    }
  });
});

function blockInputs(
  layout: SequenceLayout,
  heads: { numHeads: number; numKvHeads: number },
  headSize: number,
  biases: boolean,
): Inputs {
  const width = 24;
  const [q, kv] = [heads.numHeads * headSize, heads.numKvHeads * headSize];
  const inputs: Inputs = {
    x: t.matrix(layout.batchSize * layout.length, width),
    norm: t.vector(width, 0.1, 1),
  };
  for (const [name, out, size] of [
    ["q", q, width],
    ["k", kv, width],
    ["v", kv, width],
    ["o", width, q],
  ] as const) {
    inputs[name] = t.matrix(out, size, 1 / Math.sqrt(size));
    if (biases) inputs[`${name}Bias`] = t.vector(out, 0.1);
  }
  if (biases) inputs["normBias"] = t.vector(width, 0.1);
  return inputs;
}

const linearOf = (inputs: Inputs, name: string) => ({
  weight: inputs[name] as tf.Tensor2D,
  ...(inputs[`${name}Bias`] && { bias: inputs[`${name}Bias`] as tf.Tensor1D }),
});

const normOf = (inputs: Inputs) => ({
  weight: inputs["norm"] as tf.Tensor1D,
  ...(inputs["normBias"] && { bias: inputs["normBias"] as tf.Tensor1D }),
});

const blockOf =
  (
    layout: SequenceLayout,
    options: AttentionBlockOptions,
  ): Parameters<typeof largestDifference>[0] =>
  (f, inputs) => {
    const [q, k, v, o] = ["q", "k", "v", "o"].map((name) => linearOf(inputs, name));
    const weights = { norm: normOf(inputs), q, k, v, o } as Parameters<typeof f.attentionBlock>[1];
    return f.attentionBlock(inputs["x"] as tf.Tensor2D, weights, layout, options);
  };

const MLP: (MlpBlockOptions & { biases: boolean })[] = [
  { norm: "rms", normEps: 1e-6, activation: "swiglu", biases: false },
  { norm: "layer", normEps: 1e-5, activation: "gelu", biases: true },
  { norm: "layer", normEps: 1e-5, activation: "gelu", biases: false },
];

describe("MLP against its definition", () => {
  it("mlpBlock()", () => {
    for (const [rows, width, inner] of [
      [1, 2, 3],
      [17, 20, 37],
      [100, 32, 128],
    ] as const) {
      for (const { biases, ...options } of MLP) {
        const inputs: Inputs = {
          x: t.matrix(rows, width),
          norm: t.vector(width, 0.1, 1),
          up: t.matrix(inner, width, 0.3),
          down: t.matrix(width, inner, 0.3),
        };
        if (options.activation === "swiglu") inputs["gate"] = t.matrix(inner, width, 0.3);
        if (biases)
          Object.assign(inputs, {
            normBias: t.vector(width),
            upBias: t.vector(inner),
            downBias: t.vector(width),
          });
        expectClose((f, all) => {
          const weights = {
            norm: normOf(all),
            up: linearOf(all, "up"),
            down: linearOf(all, "down"),
            ...(all["gate"] && { gate: linearOf(all, "gate") }),
          };
          return f.mlpBlock(all["x"] as tf.Tensor2D, weights, options);
        }, inputs);
      }
    }
  });
});

describe("determinism", () => {
  const layout = { batchSize: 4, length: 40 };
  const heads = { numHeads: 4, numKvHeads: 2 };
  const options: AttentionBlockOptions = { ...heads, norm: "rms", normEps: 1e-5, ropeTheta: 1e4 };

  it("repeats bit for bit", () => {
    const inputs = blockInputs(layout, heads, 16, false);
    const first = evaluate(implementationUnderTest(), blockOf(layout, options), inputs);
    for (let i = 0; i < 5; i++) {
      expect(evaluate(implementationUnderTest(), blockOf(layout, options), inputs)).toEqual(first);
    }
  });

  // TensorFlow's matrix product rounds by the number of its rows.
  const isExact = inject("engine") !== "tensorflow";
  it.runIf(isExact)("gives a sequence the same bits alone and in any batch", () => {
    const inputs = blockInputs(layout, heads, 16, false);
    const all = blockOf(layout, options)(
      implementationUnderTest(),
      inputs,
    ).arraySync() as number[][];
    const x = tf.slice(inputs["x"] as tf.Tensor2D, [80, 0], [40, -1]);
    const one = { batchSize: 1, length: 40 };
    const alone = blockOf(one, options)(implementationUnderTest(), { ...inputs, x }).arraySync();
    expect(alone).toEqual(all.slice(80, 120));
  });
});
