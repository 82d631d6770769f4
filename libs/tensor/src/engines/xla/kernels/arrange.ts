import { tf } from "../../../tf.js";
import {
  broadcast,
  compare,
  concat,
  convert,
  gather,
  iota,
  reshape,
  scatter,
  select,
  slice,
} from "../hlo.js";
import { splat, type ElementType, type Value } from "../value.js";
import { unsupported } from "./unsupported.js";

type Shape = readonly number[];

const prefix = (shape: Shape, axis: number) => shape.slice(0, axis);

export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

export function unpack(x: Value, axis: number): Value[] {
  const at = axisOf(axis, x.shape.length);
  const rest = x.shape.filter((_, i) => i !== at);
  return pieces(x, at, new Array<number>(x.shape[at]!).fill(1)).map((piece) =>
    reshape(piece, rest),
  );
}

export function pack(parts: readonly Value[], axis: number): Value {
  const { shape } = parts[0]!;
  const at = axisOf(axis, shape.length + 1);
  const widened = parts.map((part) => reshape(part, [...prefix(shape, at), 1, ...shape.slice(at)]));
  return concat(widened, at);
}

export function split(x: Value, sizes: number | number[], axis: number): Value[] {
  const at = axisOf(axis, x.shape.length);
  const counts =
    typeof sizes === "number"
      ? new Array<number>(sizes).fill(x.shape[at]! / sizes)
      : tf.backend_util.prepareSplitSize({ shape: [...x.shape] } as tf.Tensor, sizes, at);
  return pieces(x, at, counts);
}

function pieces(x: Value, axis: number, counts: readonly number[]): Value[] {
  let from = 0;
  return counts.map((count) => {
    const begin = x.shape.map((_, i) => (i === axis ? from : 0));
    from += count;
    return slice(
      x,
      begin,
      x.shape.map((size, i) => (i === axis ? count : size)),
    );
  });
}

export function tile(x: Value, reps: readonly number[]): Value {
  const shape = x.shape.map((size, axis) => size * reps[axis]!);
  if (x.shape.every((size, axis) => size === 1 || reps[axis] === 1)) {
    return broadcast(
      x,
      shape,
      shape.map((_, axis) => axis),
      // an axis of size 1 is repeated
    );
  }
  const spread = x.shape.flatMap((size, axis) => [reps[axis]!, size]);
  const kept = x.shape.map((_, axis) => 2 * axis + 1);
  return reshape(broadcast(x, spread, kept), shape);
}

export function gatherRows(x: Value, indices: Value, axis: number, batchDims: number): Value {
  if (batchDims !== 0) throw unsupported("GatherV2 with batchDims");
  return gather(x, convert(indices, "i32"), axisOf(axis, x.shape.length));
}

export const scatterNd = (indices: Value, updates: Value, shape: Shape): Value =>
  scatter(splat(shape, updates.type, 0), indices, updates);

/** Sums of rows with the same number; negative numbers are left out, as XLA drops what is outside. */
export function segmentSum(x: Value, segments: Value, numSegments: number): Value {
  const shape = [numSegments, ...x.shape.slice(segments.shape.length)];
  return scatterNd(reshape(segments, [...segments.shape, 1]), x, shape);
}

export interface OneHot {
  depth: number;
  onValue: number;
  offValue: number;
  type: ElementType;
}

export function oneHot(indices: Value, { depth, onValue, offValue, type }: OneHot): Value {
  const shape = [...indices.shape, depth];
  const wide = broadcast(
    indices,
    shape,
    indices.shape.map((_, axis) => axis),
  );
  const hit = compare("EQ", wide, iota(shape, shape.length - 1));
  return select(hit, splat([], type, onValue), splat([], type, offValue));
}
