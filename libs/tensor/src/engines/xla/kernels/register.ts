import { tf } from "../../../tf.js";
import type { XlaBackend } from "../backend.js";
import { binary, concat, convert, pad, reduce, reshape, select, slice, transpose } from "../hlo.js";
import type { Value } from "../value.js";
import { splat, type ElementType } from "../value.js";
import {
  axisOf,
  gatherRows,
  oneHot,
  pack,
  scatterNd,
  segmentSum,
  split,
  tile,
  unpack,
} from "./arrange.js";
import { BINARY, clip, step, UNARY } from "./elementwise.js";
import { matMul } from "./matmul.js";
import { axesOf, mean, softmax, sum, type Axes } from "./reduce.js";
import { unsupported } from "./unsupported.js";

const BACKEND = "xla";

type Inputs = Readonly<Record<string, Value>>;
/** A kernel over values; TFJS's attributes are what each declares them to be. */
type Kernel = (inputs: Inputs, attrs: never, backend: XlaBackend) => Value | Value[];

const typeOf = (dtype: tf.DataType | undefined): ElementType =>
  dtype === "int32" ? "i32" : dtype === "bool" ? "i1" : "f32";

const inOrder = (inputs: Inputs): Value[] => Object.values(inputs);

interface Kept {
  axis?: Axes;
  reductionIndices?: Axes;
  keepDims?: boolean;
}

const reduction =
  (name: Parameters<typeof reduce>[0]) =>
  ({ x }: Inputs, { axis, reductionIndices, keepDims = false }: Kept) =>
    reduce(name, x!, axesOf(axis ?? reductionIndices, x!.shape.length), keepDims);

const KERNELS: Readonly<Record<string, Kernel>> = {
  AddN: (inputs) => inOrder(inputs).reduce((a, b) => binary("add", a, b)),
  All: reduction("and"),
  Any: reduction("or"),
  BatchMatMul: ({ a, b }, attrs: { transposeA: boolean; transposeB: boolean }, { options }) =>
    matMul(a!, b!, { ...attrs, ...options }),
  Cast: ({ x }, { dtype }: { dtype: tf.DataType }) => convert(x!, typeOf(dtype)),
  ClipByValue: ({ x }, attrs: { clipValueMin: number; clipValueMax: number }) =>
    clip(x!, attrs.clipValueMin, attrs.clipValueMax),
  Concat: (inputs, { axis }: { axis: number }) => {
    const parts = inOrder(inputs);
    const full = parts.filter(({ size }) => size > 0);
    return concat(full.length > 0 ? full : parts.slice(0, 1), axisOf(axis, parts[0]!.shape.length));
  },
  ExpandDims: ({ input }, { dim }: { dim: number }) => {
    const { shape } = input!;
    const at = axisOf(dim, shape.length + 1);
    return reshape(input!, [...shape.slice(0, at), 1, ...shape.slice(at)]);
  },
  Fill: (_, attrs: { shape: number[]; value: number; dtype?: tf.DataType }) =>
    splat(attrs.shape, typeOf(attrs.dtype), attrs.value),
  GatherV2: ({ x, indices }, attrs: { axis: number; batchDims?: number }) =>
    gatherRows(x!, indices!, attrs.axis, attrs.batchDims ?? 0),
  Max: reduction("maximum"),
  Mean: ({ x }, { axis, keepDims = false }: Kept) => mean(x!, axis, keepDims),
  Min: reduction("minimum"),
  OneHot: (
    { indices },
    { dtype, ...attrs }: { depth: number; onValue: number; offValue: number; dtype: tf.DataType },
  ) => oneHot(indices!, { ...attrs, type: typeOf(dtype) }),
  OnesLike: ({ x }) => splat(x!.shape, x!.type, 1),
  Pack: (inputs, { axis }: { axis: number }) => pack(inOrder(inputs), axis),
  PadV2: ({ x }, attrs: { paddings: [number, number][]; constantValue: number }) =>
    pad(x!, attrs.paddings, attrs.constantValue),
  Prod: reduction("multiply"),
  Reshape: ({ x }, { shape }: { shape: number[] }) =>
    reshape(x!, tf.util.inferFromImplicitShape(shape, x!.size)),
  ScatterNd: ({ indices, updates }, { shape }: { shape: number[] }) =>
    scatterNd(indices!, updates!, shape),
  Select: ({ condition, t, e }) => {
    const p = condition!;
    const rest = t!.shape.slice(p.shape.length).map(() => 1);
    return select(reshape(p, [...p.shape, ...rest]), t!, e!);
  },
  Slice: ({ x }, attrs: { begin: number[]; size: number[] }) => {
    const like = { shape: [...x!.shape] } as tf.Tensor;
    const [begin, size] = tf.slice_util.parseSliceParams(like, attrs.begin, attrs.size);
    return slice(x!, begin!, size!);
  },
  Softmax: ({ logits }) => softmax(logits!),
  SplitV: ({ x }, attrs: { numOrSizeSplits: number | number[]; axis: number }) =>
    split(x!, attrs.numOrSizeSplits, attrs.axis),
  Step: ({ x }, { alpha }: { alpha: number }) => step(x!, alpha),
  Sum: ({ x }, { axis, keepDims = false }: Kept) => sum(x!, axis, keepDims),
  Tile: ({ x }, { reps }: { reps: number[] }) => tile(x!, reps),
  Transpose: ({ x }, { perm }: { perm: number[] }) => transpose(x!, perm),
  Unpack: ({ value }, { axis }: { axis: number }) => unpack(value!, axis),
  UnsortedSegmentSum: ({ x, segmentIds }, { numSegments }: { numSegments: number }) =>
    segmentSum(x!, segmentIds!, numSegments),
  ZerosLike: ({ x }) => splat(x!.shape, x!.type, 0),
  ...Object.fromEntries(
    Object.entries(UNARY).map(([name, f]): [string, Kernel] => [name, ({ x }) => f(x!)]),
  ),
  ...Object.fromEntries(
    Object.entries(BINARY).map(([name, f]): [string, Kernel] => [name, ({ a, b }) => f(a!, b!)]),
  ),
};

/** The names of what the backend can record, for tests. */
export const KERNEL_NAMES: readonly string[] = [...Object.keys(KERNELS), "Identity"].sort();

/** Registers every kernel with TFJS; those that only other backends have throw with their name. */
export function registerKernels(): void {
  for (const [name, kernel] of Object.entries(KERNELS)) register(name, recording(kernel));
  register("Identity", ({ inputs, backend }) => {
    const { x } = inputs as { x: tf.TensorInfo };
    (backend as XlaBackend).incRef(x.dataId as object);
    return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
  });
  for (const { kernelName } of tf.getKernelsForBackend("cpu")) {
    if (KERNEL_NAMES.includes(kernelName)) continue;
    register(kernelName, () => {
      throw unsupported(kernelName);
    });
  }
}

function register(kernelName: string, kernelFunc: tf.KernelFunc): void {
  tf.registerKernel({ kernelName, backendName: BACKEND, kernelFunc });
}

function recording(kernel: Kernel): tf.KernelFunc {
  return ({ inputs, attrs, backend }) => {
    const xla = backend as XlaBackend;
    const values: Record<string, Value> = {};
    for (const name in inputs) {
      const info = inputs[name]; // a kernel's optional inputs are undefined
      if (info) values[name] = xla.value(info);
    }
    const result = kernel(values, (attrs ?? {}) as never, xla);
    return Array.isArray(result) ? result.map((value) => xla.info(value)) : xla.info(result);
  };
}
