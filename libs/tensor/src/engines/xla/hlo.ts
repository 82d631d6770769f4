/** StableHLO operations on recorded values; shapes are inferred here, as XLA does not. */
import type { Value } from "./value.js";
import { operation, sameShape, splat, typeOf, typeText, type ElementType } from "./value.js";

type Shape = readonly number[];

const range = (length: number) => Array.from({ length }, (_, i) => i);

export function unary(name: string, x: Value, type: ElementType = x.type): Value {
  const write =
    type === x.type
      ? ([a]: readonly string[]) => `stablehlo.${name} ${a} : ${typeOf(x)}`
      : ([a]: readonly string[]) =>
          `stablehlo.${name} ${a} : (${typeOf(x)}) -> ${typeText(x.shape, type)}`;
  return operation(x.shape, type, [x], write);
}

export function convert(x: Value, type: ElementType): Value {
  if (x.type === type) return x;
  if (x.origin.kind === "splat" && type !== "bf16") {
    return splat(x.shape, type, converted(x.origin.value, type));
  }
  return type === "i1" ? compare("NE", x, splat([], x.type, 0)) : unary("convert", x, type);
}

function converted(value: number, type: ElementType): number {
  if (type === "i1") return value === 0 ? 0 : 1;
  return type === "i32" ? Math.trunc(value) : value;
}

export function reshape(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  if (x.origin.kind === "splat") return splat(shape, x.type, x.origin.value);
  return operation(shape, x.type, [x], ([a]) => {
    return `stablehlo.reshape ${a} : (${typeOf(x)}) -> ${typeText(shape, x.type)}`;
  });
}

/** Axis i of x becomes axis dims[i] of the result. */
export function broadcast(x: Value, shape: Shape, dims: readonly number[]): Value {
  if (sameShape(x.shape, shape)) return x;
  if (x.origin.kind === "splat") return splat(shape, x.type, x.origin.value);
  return operation(shape, x.type, [x], ([a]) => {
    const types = `(${typeOf(x)}) -> ${typeText(shape, x.type)}`;
    return `stablehlo.broadcast_in_dim ${a}, dims = [${dims.join(", ")}] : ${types}`;
  });
}

/** As NumPy broadcasts: axes are aligned at the end, those of size 1 are repeated. */
export function broadcastTo(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  if (x.origin.kind === "splat") return splat(shape, x.type, x.origin.value);
  const offset = shape.length - x.shape.length;
  const kept = range(x.shape.length).filter(
    (axis) => x.shape[axis] !== 1 || shape[offset + axis] === 1,
  );
  const squeezed = reshape(
    x,
    kept.map((axis) => x.shape[axis]!),
  );
  return broadcast(
    squeezed,
    shape,
    kept.map((axis) => offset + axis),
  );
}

export function commonShape(a: Shape, b: Shape): Shape {
  if (sameShape(a, b)) return a;
  const rank = Math.max(a.length, b.length);
  return range(rank).map((axis) => {
    const [p, q] = [a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1];
    return p === 1 ? q : p;
  });
}

/** Elementwise over two values of one type, broadcast to each other. */
export function binary(name: string, a: Value, b: Value): Value {
  const shape = commonShape(a.shape, b.shape);
  const inputs = [broadcastTo(a, shape), broadcastTo(b, shape)];
  return operation(shape, a.type, inputs, ([x, y]) => {
    return `stablehlo.${name} ${x}, ${y} : ${typeText(shape, a.type)}`;
  });
}

export type Direction = "EQ" | "NE" | "GE" | "GT" | "LE" | "LT";

const COMPARISONS = {
  f32: "FLOAT",
  f64: "FLOAT",
  bf16: "FLOAT",
  i32: "SIGNED",
  i1: "UNSIGNED",
} as const;

export function compare(direction: Direction, a: Value, b: Value): Value {
  const shape = commonShape(a.shape, b.shape);
  const inputs = [broadcastTo(a, shape), broadcastTo(b, shape)];
  const type = typeText(shape, a.type);
  return operation(shape, "i1", inputs, ([x, y]) => {
    const types = `(${type}, ${type}) -> ${typeText(shape, "i1")}`;
    return `stablehlo.compare ${direction}, ${x}, ${y}, ${COMPARISONS[a.type]} : ${types}`;
  });
}

/** `yes` where the condition holds; all broadcast to the condition and each other. */
export function select(condition: Value, yes: Value, no: Value): Value {
  const shape = commonShape(condition.shape, commonShape(yes.shape, no.shape));
  const inputs = [condition, yes, no].map((x) => broadcastTo(x, shape));
  return operation(shape, yes.type, inputs, ([p, a, b]) => {
    const types = `${typeText(shape, "i1")}, ${typeText(shape, yes.type)}`;
    return `stablehlo.select ${p}, ${a}, ${b} : ${types}`;
  });
}

export function transpose(x: Value, permutation: readonly number[]): Value {
  if (permutation.every((axis, i) => axis === i)) return x;
  const shape = permutation.map((axis) => x.shape[axis]!);
  if (x.origin.kind === "splat") return splat(shape, x.type, x.origin.value);
  return operation(shape, x.type, [x], ([a]) => {
    const types = `(${typeOf(x)}) -> ${typeText(shape, x.type)}`;
    return `stablehlo.transpose ${a}, dims = [${permutation.join(", ")}] : ${types}`;
  });
}

export function slice(x: Value, begin: readonly number[], size: Shape): Value {
  if (sameShape(x.shape, size)) return x;
  if (x.origin.kind === "splat") return splat(size, x.type, x.origin.value);
  const bounds = begin.map((from, axis) => `${from}:${from + size[axis]!}`).join(", ");
  return operation(size, x.type, [x], ([a]) => {
    return `stablehlo.slice ${a} [${bounds}] : (${typeOf(x)}) -> ${typeText(size, x.type)}`;
  });
}

/** With so many of a number before and behind on each axis. */
export function pad(x: Value, counts: readonly (readonly [number, number])[], value: number) {
  const shape = x.shape.map((size, axis) => size + counts[axis]![0] + counts[axis]![1]);
  const filler = splat([], x.type, value);
  const list = (of: (count: readonly [number, number]) => number) => counts.map(of).join(", ");
  return operation(shape, x.type, [x, filler], ([a, b]) => {
    const edges = `low = [${list(([low]) => low)}], high = [${list(([, high]) => high)}]`;
    const types = `(${typeOf(x)}, ${typeOf(filler)}) -> ${typeText(shape, x.type)}`;
    return `stablehlo.pad ${a}, ${b}, ${edges}, interior = [${list(() => 0)}] : ${types}`;
  });
}

export function concat(parts: readonly Value[], axis: number): Value {
  if (parts.length === 1) return parts[0]!;
  const { shape: first, type } = parts[0]!;
  const shape = [...first];
  shape[axis] = parts.reduce((sum, part) => sum + part.shape[axis]!, 0);
  return operation(shape, type, parts, (names) => {
    const types = `(${parts.map(typeOf).join(", ")}) -> ${typeText(shape, type)}`;
    return `stablehlo.concatenate ${names.join(", ")}, dim = ${axis} : ${types}`;
  });
}

export function iota(shape: Shape, axis: number, type: ElementType = "i32"): Value {
  return operation(shape, type, [], () => {
    return `stablehlo.iota dim = ${axis} : ${typeText(shape, type)}`;
  });
}

const REDUCTIONS = { add: 0, multiply: 1, maximum: -Infinity, minimum: Infinity, or: 0, and: 1 };

const startOf = (name: keyof typeof REDUCTIONS, type: ElementType): number => {
  const start = REDUCTIONS[name];
  return type === "i32" && !Number.isFinite(start)
    ? Math.sign(start) * 2 ** 31 - +(start > 0)
    : start;
};

/** Over axes, which go, or with `keep` become 1. */
export function reduce(
  name: keyof typeof REDUCTIONS,
  x: Value,
  axes: readonly number[],
  keep = false,
): Value {
  const rest = x.shape.filter((_, axis) => !axes.includes(axis));
  const kept = keep ? x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size)) : rest;
  if (axes.length === 0) return x;
  const start = splat([], x.type, startOf(name, x.type));
  const reduced = operation(rest, x.type, [x, start], ([a, zero]) => {
    const types = `(${typeOf(x)}, ${typeOf(start)}) -> ${typeText(rest, x.type)}`;
    const how = `applies stablehlo.${name} across dimensions = [${axes.join(", ")}]`;
    return `stablehlo.reduce(${a} init: ${zero}) ${how} : ${types}`;
  });
  return reshape(reduced, kept);
}

export interface Contraction {
  batch: number;
  /** The axis that is summed, of each. */
  contract: readonly [number, number];
  /** The shape of the product. */
  shape: Shape;
}

/** Products summed in f32: of f32 numbers without tf32's shortcut, or of both rounded to bf16. */
export function dot(a: Value, b: Value, how: Contraction): Value {
  const { batch, contract, shape } = how;
  const dims = range(batch).join(", ");
  const batching = batch > 0 ? `batching_dims = [${dims}] x [${dims}], ` : "";
  const precision = a.type === "f32" ? ", precision = [HIGHEST, HIGHEST]" : "";
  return operation(shape, "f32", [a, b], ([x, y]) => {
    const types = `(${typeOf(a)}, ${typeOf(b)}) -> ${typeText(shape, "f32")}`;
    const contracting = `contracting_dims = [${contract[0]}] x [${contract[1]}]`;
    return `stablehlo.dot_general ${x}, ${y}, ${batching}${contracting}${precision} : ${types}`;
  });
}

/** Slices of `x` along an axis at `indices`; their axes take its place. An index must be in range. */
export function gather(x: Value, indices: Value, axis: number): Value {
  const [before, after] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
  const shape = [...before, ...indices.shape, ...after];
  const rank = indices.shape.length;
  const offsets = [...range(axis), ...after.map((_, i) => axis + rank + i)];
  const sizes = [...before, 1, ...after];
  return operation(shape, x.type, [x, indices], ([a, at]) => {
    const numbers = [
      `offset_dims = [${offsets.join(", ")}]`,
      `collapsed_slice_dims = [${axis}]`,
      `start_index_map = [${axis}]`,
      `index_vector_dim = ${rank}`,
    ].join(", ");
    const attributes = `dimension_numbers = #stablehlo.gather<${numbers}>, indices_are_sorted = false, slice_sizes = array<i64: ${sizes.join(", ")}>`;
    const types = `(${typeOf(x)}, ${typeOf(indices)}) -> ${typeText(shape, x.type)}`;
    return `"stablehlo.gather"(${a}, ${at}) <{${attributes}}> : ${types}`;
  });
}

/**
 * `into` with `updates` at the indices [..., k] of its first k axes: added ("add"), or put in place of
 * what is there ("replace"). What lies outside is dropped.
 */
export function scatter(
  into: Value,
  indices: Value,
  updates: Value,
  combine: "add" | "replace" = "add",
): Value {
  const depth = indices.shape.at(-1)!;
  const outer = indices.shape.length - 1;
  const window = range(updates.shape.length - outer).map((i) => outer + i);
  const axes = range(depth).join(", ");
  const scalar = typeText([], into.type);
  return operation(into.shape, into.type, [into, indices, updates], ([x, at, y]) => {
    const numbers = [
      `update_window_dims = [${window.join(", ")}]`,
      `inserted_window_dims = [${axes}]`,
      `scatter_dims_to_operand_dims = [${axes}]`,
      `index_vector_dim = ${outer}`,
    ].join(", ");
    const attributes = `indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<${numbers}>, unique_indices = false`;
    const body =
      combine === "add"
        ? `%s = stablehlo.add %l, %r : ${scalar} stablehlo.return %s : ${scalar}`
        : `stablehlo.return %r : ${scalar}`;
    const types = `(${typeOf(into)}, ${typeOf(indices)}, ${typeOf(updates)}) -> ${typeOf(into)}`;
    return `"stablehlo.scatter"(${x}, ${at}, ${y}) <{${attributes}}> ({ ^bb0(%l: ${scalar}, %r: ${scalar}): ${body} }) : ${types}`;
  });
}
