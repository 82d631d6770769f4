import { binary, convert, reduce, unary } from "../hlo.js";
import { splat, type Value } from "../value.js";
import { axisOf } from "./arrange.js";

/** Axes as a kernel is given them: one, several, or none for all. */
export type Axes = number | number[] | null | undefined;

export function axesOf(axes: Axes, rank: number): number[] {
  const given = axes ?? Array.from({ length: rank }, (_, i) => i);
  return [given].flat().map((axis) => axisOf(axis, rank));
}

export function sum(x: Value, axes: Axes, keep: boolean): Value {
  const numbers = x.type === "i1" ? convert(x, "i32") : x;
  return reduce("add", numbers, axesOf(axes, x.shape.length), keep);
}

export function mean(x: Value, axes: Axes, keep: boolean): Value {
  const over = axesOf(axes, x.shape.length);
  const count = over.reduce((product, axis) => product * x.shape[axis]!, 1);
  return binary("divide", reduce("add", convert(x, "f32"), over, keep), splat([], "f32", count));
}

/** Over the last axis. */
export function softmax(x: Value): Value {
  const e = unary("exponential", centered(x));
  return binary("divide", e, reduce("add", e, [x.shape.length - 1], true));
}

const centered = (x: Value): Value =>
  binary("subtract", x, reduce("maximum", x, [x.shape.length - 1], true));
