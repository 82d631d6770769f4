/** Every kernel of the xla engine against TFJS's cpu backend; run by `npm run test:xla`, skipped elsewhere. */
import { describe, expect, inject, it } from "vitest";
import { KERNEL_NAMES } from "../src/engines/xla/kernels/register.js";
import { tf } from "../src/index.js";
import { createTensors } from "../src/testing/random.js";

type Tensors = ReturnType<typeof createTensors>;
/** Makes its own inputs, so that each backend has them as its own. */
type Case = (t: Tensors) => tf.Tensor | tf.Tensor[];

/** Scalars, single axes, rows, four axes. */
const SHAPES = [[], [1], [7], [3, 5], [1, 4], [2, 3, 1, 4]];
/** Shapes that are broadcast to each other. */
const PAIRS: [number[], number[]][] = [
  [[], [3, 2]],
  [[4], [3, 4]],
  [
    [3, 1],
    [1, 4],
  ],
  [
    [2, 1, 3, 1],
    [3, 5],
  ],
  [[1], [1, 1]],
  [
    [2, 3],
    [2, 3],
  ],
];
const EDGES = [-Infinity, -90, -3, -1, -0.25, -1e-8, -0, 0, 1e-8, 0.25, 1, 3, 90, Infinity, NaN];

/** TFJS's sign of NaN is 0. */
const NUMBERS = EDGES.filter((edge) => !Number.isNaN(edge));

const each =
  <A>(list: readonly A[], f: (t: Tensors, item: A) => tf.Tensor | tf.Tensor[]): Case =>
  (t) =>
    list.flatMap((item) => f(t, item));

/** Random numbers of all shapes, and numbers at the edges. */
const unary = (f: (x: tf.Tensor) => tf.Tensor, { edges = EDGES, positive = false } = {}) =>
  each<number[] | "edges">(["edges", ...SHAPES], (t, shape) => {
    const x = shape === "edges" ? tf.tensor1d(edges) : t.normal(shape);
    return f(positive ? tf.abs(x) : x);
  });

const binary = (f: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): Case =>
  each<[number[], number[]] | "edges">(["edges", ...PAIRS], (t, pair) => {
    if (pair !== "edges") return f(t.normal(pair[0]), t.normal(pair[1]));
    return f(tf.tensor2d(EDGES, [EDGES.length, 1]), tf.tensor2d(EDGES, [1, EDGES.length]));
  });

const integers = (t: Tensors, shape: number[], limit: number, min = 0) =>
  tf.tensor(t.ids(tf.util.sizeFromShape(shape), limit, min), shape, "int32");
const booleans = (t: Tensors, shape: number[]) => tf.cast(integers(t, shape, 2), "bool");

const compared = (f: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): Case =>
  each([binary(f), (t: Tensors) => f(integers(t, [5, 4], 3), integers(t, [4], 3))], (t, c) => c(t));

const logical = (f: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): Case =>
  each(PAIRS, (t, [a, b]) => f(booleans(t, a), booleans(t, b)));

/** Over all axes, single ones, several, with and without keeping them. */
const reduced = (f: (x: tf.Tensor, axis?: number | number[], keep?: boolean) => tf.Tensor): Case =>
  each([undefined, 0, -1, 1, [0, 2], [0, 1, 2]], (t, axis) =>
    [false, true].map((keep) => f(t.normal([2, 3, 4]), axis, keep)),
  );

const CASES: Readonly<Record<string, Case>> = {
  Abs: unary(tf.abs),
  Add: each(
    [binary(tf.add), (t: Tensors) => tf.add(integers(t, [3], 9), integers(t, [3], 9))],
    (t, c) => c(t),
  ),
  AddN: (t) => tf.addN([t.normal([2, 3]), t.normal([2, 3]), t.normal([2, 3])]),
  All: (t) => tf.all(booleans(t, [4, 3]), 1),
  Any: (t) => tf.any(booleans(t, [4, 3]), 0),
  BatchMatMul: each([[], [1], [3], [2, 3]], (t, outer) =>
    [true, false].flatMap((ta) =>
      [true, false].map((tb) => {
        const a = t.normal([...outer, ...(ta ? [5, 4] : [4, 5])]);
        return tf.matMul(a, t.normal([...outer, ...(tb ? [7, 5] : [5, 7])]), ta, tb);
      }),
    ),
  ),
  Cast: (t) =>
    (["float32", "int32", "bool"] as const).flatMap((to) => [
      tf.cast(tf.mul(t.normal([9]), 5), to),
      tf.cast(integers(t, [6], 3, -2), to),
      tf.cast(booleans(t, [6]), to),
    ]),
  Ceil: unary(tf.ceil),
  ClipByValue: unary((x) => tf.clipByValue(x, -0.5, 0.75)),
  Concat: each([0, 1, -1], (t, axis) =>
    tf.concat([t.normal([2, 3, 4]), t.normal([2, 3, 4]), t.normal([2, 3, 4])], axis),
  ),
  Cos: unary(tf.cos, { edges: [-3, 0, 2] }),
  Equal: compared(tf.equal),
  Erf: unary(tf.erf, { edges: NUMBERS }),
  Exp: unary(tf.exp),
  ExpandDims: each([0, 1, -1], (t, axis) => tf.expandDims(t.normal([2, 3]), axis)),
  Expm1: unary(tf.expm1),
  Fill: () => [tf.fill([2, 3], 2.5), tf.fill([], -1), tf.fill([2], 3, "int32")],
  Floor: unary(tf.floor),
  GatherV2: each([0, 1, 2], (t, axis) => [
    tf.gather(t.normal([3, 4, 5]), tf.tensor1d([2, 0, 2], "int32"), axis),
    tf.gather(t.normal([3, 4, 5]), tf.tensor2d([1, 0, 2, 1], [2, 2], "int32"), axis),
  ]),
  Greater: compared(tf.greater),
  GreaterEqual: compared(tf.greaterEqual),
  Identity: (t) => tf.clone(t.normal([3])),
  IsFinite: unary(tf.isFinite),
  IsNan: unary(tf.isNaN),
  Less: compared(tf.less),
  LessEqual: compared(tf.lessEqual),
  Log: unary(tf.log, { positive: true }),
  Log1p: unary(tf.log1p, { positive: true }),
  LogicalAnd: logical(tf.logicalAnd),
  LogicalNot: (t) => tf.logicalNot(booleans(t, [5])),
  LogicalOr: logical(tf.logicalOr),
  Max: reduced(tf.max),
  Maximum: binary(tf.maximum),
  Mean: reduced(tf.mean),
  Min: reduced(tf.min),
  Minimum: binary(tf.minimum),
  Multiply: binary(tf.mul),
  Neg: unary(tf.neg),
  NotEqual: compared(tf.notEqual),
  OneHot: (t) => [
    tf.oneHot(integers(t, [5], 4), 4),
    tf.oneHot(tf.tensor1d([-1, 4, 2], "int32"), 4, 2, -1),
    tf.oneHot(integers(t, [2, 3], 3), 3),
  ],
  OnesLike: (t) => tf.onesLike(t.normal([2, 2])),
  Pack: each([0, 1, -1], (t, axis) => tf.stack([t.normal([2, 3]), t.normal([2, 3])], axis)),
  Pow: (t) => [
    ...[0, 1, 2, 3, 4, -1].map((exponent) => tf.pow(t.normal([6]), exponent)),
    tf.pow(tf.abs(t.normal([4])), t.normal([4])),
  ],
  PadV2: (t) => [
    tf.pad(t.normal([3]), [[1, 2]], -1.5),
    tf.pad(t.normal([2, 3]), [
      [0, 1],
      [2, 0],
    ]),
    tf.grad((x: tf.Tensor) => tf.sum(tf.slice(x, [1, 0], [2, 2])))(t.normal([4, 3])), // a slice's gradient
  ],
  Prod: reduced(tf.prod),
  RealDiv: binary(tf.div),
  Reciprocal: unary(tf.reciprocal),
  Relu: unary(tf.relu),
  Reshape: (t) => [
    tf.reshape(t.normal([2, 6]), [3, 4]),
    tf.reshape(t.normal([2, 6]), [-1]),
    tf.reshape(t.normal([2, 6]), [2, 6]),
    tf.reshape(t.normal([1]), []),
  ],
  Rsqrt: unary(tf.rsqrt, { positive: true }),
  ScatterNd: (t) => [
    tf.scatterND(tf.tensor2d([1, 0, 1], [3, 1], "int32"), t.normal([3, 4]), [2, 4]),
    tf.scatterND(tf.tensor2d([1, 2, 0, 0], [2, 2], "int32"), t.normal([2]), [2, 3]),
  ],
  Select: (t) => [
    tf.where(booleans(t, [3, 4]), t.normal([3, 4]), t.normal([3, 4])),
    tf.where(booleans(t, [3, 1]), t.normal([3, 4]), t.normal([4])),
  ],
  Sigmoid: unary(tf.sigmoid),
  Sign: unary(tf.sign, { edges: NUMBERS }),
  Sin: unary(tf.sin, { edges: [-3, 0, 2] }),
  Slice: (t) => [
    tf.slice(t.normal([3, 4]), [1, 2], [2, 2]),
    tf.slice(t.normal([3, 4]), [1], [-1]),
    tf.slice(t.normal([5]), [0], [5]),
  ],
  Softmax: each([[7], [3, 5], [2, 3, 4]], (t, shape) => tf.softmax(t.normal(shape, 4))),
  Softplus: unary(tf.softplus),
  SplitV: (t) => [...tf.split(t.normal([4, 6]), 3, 1), ...tf.split(t.normal([4, 6]), [1, 3], 0)],
  Sqrt: unary(tf.sqrt, { positive: true }),
  Square: unary(tf.square),
  SquaredDifference: binary(tf.squaredDifference),
  Step: unary((x) => tf.step(x, 0.25)),
  Sub: binary(tf.sub),
  Sum: each([reduced(tf.sum), (t: Tensors) => tf.sum(booleans(t, [9]))], (t, c) => c(t)),
  Tanh: unary(tf.tanh),
  Tile: (t) => [
    tf.tile(t.normal([2, 3]), [2, 2]),
    tf.tile(t.normal([2, 1]), [1, 4]),
    tf.tile(t.normal([3]), [1]),
  ],
  Transpose: each(
    [
      [0, 1, 2],
      [2, 0, 1],
      [1, 0, 2],
    ],
    (t, perm) => tf.transpose(t.normal([2, 3, 4]), perm),
  ),
  Unpack: each([0, 1], (t, axis) => tf.unstack(t.normal([3, 2, 4]), axis)),
  UnsortedSegmentSum: (t) => [
    tf.unsortedSegmentSum(t.normal([4, 3]), tf.tensor1d([1, 0, 1, -1], "int32"), 3),
    tf.unsortedSegmentSum(t.normal([4]), tf.tensor1d([2, 2, 2, 2], "int32"), 3),
  ],
  ZerosLike: (t) => tf.zerosLike(t.normal([2, 2])),
};

/** Of float32 numbers; XLA's own exp, tanh and the like are some ulp from the C library's. */
const TOLERANCE = 4e-6;

function outputsOn(backend: string, f: Case) {
  const running = tf.getBackend();
  void tf.setBackend(backend); // at work when the call returns
  try {
    return tf.tidy(() =>
      [f(createTensors(31))].flat().map((tensor) => {
        const { shape, dtype } = tensor;
        return { shape, dtype, values: Array.from(tensor.dataSync()) };
      }),
    );
  } finally {
    void tf.setBackend(running);
  }
}

function isClose(actual: number, expected: number): boolean {
  if (!Number.isFinite(expected)) return Object.is(actual, expected);
  return Math.abs(actual - expected) <= TOLERANCE * Math.max(1, Math.abs(expected));
}

describe.runIf(inject("engine") === "xla")("kernels of the xla engine", () => {
  it("are all compared", () => {
    expect(Object.keys(CASES).sort()).toEqual(KERNEL_NAMES);
  });

  it.each(Object.entries(CASES))("%s", (_, f) => {
    const [actual, expected] = [outputsOn("xla", f), outputsOn("cpu", f)];
    expect(actual.map(({ shape, dtype }) => [shape, dtype])).toEqual(
      expected.map(({ shape, dtype }) => [shape, dtype]),
    );
    expected.forEach(({ values }, i) => {
      values.forEach((value, at) => {
        const found = actual[i]!.values[at]!;
        expect(isClose(found, value), `output ${i} at ${at}: ${found}, not ${value}`).toBe(true);
      });
    });
  });

  it("throws the name of an operation that has no kernel", () => {
    expect(() => tf.fft(tf.complex([1, 2], [3, 4]))).toThrow(/engine "xla"/);
    expect(() => tf.topk(tf.tensor1d([1, 2]), 1)).toThrow(/no kernel for TopK: use another engine/);
  });
});
