import { broadcastTo, convert, dot } from "../hlo.js";
import type { Value } from "../value.js";

export interface MatMulOptions {
  transposeA: boolean;
  transposeB: boolean;
  products: "f32" | "bf16";
}

/** a·b over the last two axes, the earlier ones broadcast to each other. */
export function matMul(a: Value, b: Value, options: MatMulOptions): Value {
  const { transposeA, transposeB, products } = options;
  const outer = a.shape.slice(0, -2).map((size, i) => (size === 1 ? b.shape[i]! : size));
  const wide = (x: Value) => convert(broadcastTo(x, [...outer, ...x.shape.slice(-2)]), products);
  const batch = outer.length;
  const [rows, left] = transposeA ? [batch + 1, batch] : [batch, batch + 1];
  const [columns, right] = transposeB ? [batch, batch + 1] : [batch + 1, batch];
  const shape = [...outer, a.shape[rows]!, b.shape[columns]!];
  return dot(wide(a), wide(b), { batch, contract: [left, right], shape });
}
