import { binary, convert, slice } from "./hlo.js";
import type { Value } from "./value.js";

/** f32 numbers that together hold what an f64 does: 3 · 24 bits for its 53. */
const NUM_PARTS = 3;

/** Numbers for a program that would be rounded on their way there as one f32: [NUM_PARTS, n], whose sum they are. */
export function partsOf(numbers: Float64Array): Float32Array {
  const parts = new Float32Array(NUM_PARTS * numbers.length);
  const rest = numbers.slice();
  for (let part = 0; part < NUM_PARTS; part++) {
    for (let i = 0; i < rest.length; i++) {
      rest[i]! -= parts[part * rest.length + i] = Math.fround(rest[i]!);
    }
  }
  return parts;
}

/** The numbers [n] of f64 within the program, each sum exact: largest parts first. */
export function wholeOf(parts: Value): Value {
  const n = parts.size / NUM_PARTS;
  return Array.from({ length: NUM_PARTS }, (_, part) =>
    convert(slice(parts, [part * n], [n]), "f64"),
  ).reduce((a, b) => binary("add", a, b));
}
