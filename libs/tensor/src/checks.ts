import { StagecraftError } from "@stagecraft/core";
import type { tf } from "./tf.js";
import type { LinearWeights, NormKind, NormWeights, SequenceLayout } from "./types.js";

/** Throws `[invalid_argument] op: what` for a wrong shape, length or option. */
export function fail(op: string, what: string): never {
  throw new StagecraftError("invalid_argument", `${op}: ${what}`);
}

const describe = (shape: readonly (number | null)[]) =>
  `[${shape.map((size) => size ?? "*").join(", ")}]`;

/** Checks a float32 tensor's shape; `null` in `expected` accepts any size. */
export function checkShape(
  op: string,
  name: string,
  tensor: tf.Tensor,
  expected: readonly (number | null)[],
): void {
  if (tensor.dtype !== "float32") fail(op, `${name} must be float32, got ${tensor.dtype}`);
  const matches =
    tensor.shape.length === expected.length &&
    expected.every((size, axis) => size === null || size === tensor.shape[axis]);
  if (!matches) fail(op, `${name} is ${describe(tensor.shape)}, expected ${describe(expected)}`);
}

export function checkLinear(
  op: string,
  name: string,
  linear: LinearWeights,
  shape: [number | null, number | null],
) {
  checkShape(op, `${name}.weight`, linear.weight, shape);
  if (linear.bias !== undefined) {
    checkShape(op, `${name}.bias`, linear.bias, [linear.weight.shape[0]]);
  }
  if (linear.adapter !== undefined) {
    const { a, b, scale } = linear.adapter;
    const [out, width] = linear.weight.shape;
    checkShape(op, `${name}.adapter.a`, a, [null, width]);
    checkShape(op, `${name}.adapter.b`, b, [out, a.shape[0]]);
    if (!Number.isFinite(scale)) fail(op, `${name}.adapter.scale is ${scale}`);
  }
}

export function checkNorm(op: string, norm: NormWeights, kind: NormKind, width: number): void {
  checkShape(op, "norm.weight", norm.weight, [width]);
  if (norm.bias === undefined) return;
  if (kind === "rms") fail(op, "norm.bias given, but RMSNorm has none");
  checkShape(op, "norm.bias", norm.bias, [width]);
}

export function checkHeads(op: string, heads: { numHeads: number; numKvHeads: number }): void {
  const { numHeads, numKvHeads } = heads;
  const valid = numHeads >= 1 && numKvHeads >= 1 && numHeads % numKvHeads === 0;
  if (!valid) fail(op, `numHeads ${numHeads} is not a multiple of numKvHeads ${numKvHeads}`);
}

export function checkLayout(op: string, layout: SequenceLayout, numRows: number): void {
  const { batchSize, length, segments, positions } = layout;
  if (batchSize * length !== numRows) {
    fail(op, `x has ${numRows} rows, but the layout is ${batchSize} × ${length}`);
  }
  for (const [name, array] of Object.entries({ segments, positions })) {
    if (array !== undefined && array.length !== numRows) {
      fail(op, `layout.${name} has ${array.length} entries, expected ${numRows}`);
    }
  }
  const negative = positions?.findIndex((position) => position < 0) ?? -1;
  if (negative >= 0) fail(op, `layout.positions[${negative}] is ${positions?.[negative]}, below 0`);
}

/** Checks that every id lies in [min, limit). */
export function checkIds(
  op: string,
  name: string,
  ids: ArrayLike<number>,
  limit: number,
  min = 0,
): void {
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] as number;
    if (id >= limit || id < min) fail(op, `${name}[${i}] is ${id}, outside ${min} … ${limit - 1}`);
  }
}

export function checkLength(op: string, name: string, actual: number, expected: number): void {
  if (actual !== expected) fail(op, `${name} has ${actual} entries, expected ${expected}`);
}
