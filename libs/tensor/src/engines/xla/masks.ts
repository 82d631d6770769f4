import { MASKED } from "../reference/attention.js";
import { binary, broadcast, compare, iota, reshape, select } from "./hlo.js";
import { splat, type Value } from "./value.js";

interface Size {
  B: number;
  T: number;
}

/**
 * [B, 1, 1, T, T]: 0 where a row sees a key of its own segment, else MASKED; `segments` are [B, T],
 * without them every row is of one.
 */
export function maskOf(
  { B, T, window }: Size & { window?: number | undefined },
  segments?: Value,
): Value {
  const [row, key] = [iota([T, T], 0), iota([T, T], 1)];
  let near = compare("LE", key, row); // [T, T]
  if (window !== undefined && window < T) {
    const first = binary("subtract", row, splat([], "i32", window));
    near = binary("and", near, compare("GT", key, first));
  }
  const whole = [B, 1, 1, T, T];
  const seen = segments
    ? binary("and", broadcast(near, [B, T, T], [1, 2]), sameSegment({ B, T }, segments))
    : broadcast(near, [B, T, T], [1, 2]);
  return select(reshape(seen, whole), splat([], "f32", 0), splat([], "f32", MASKED));
}

/**
 * [R, 1, 1, n, L]: 0 where a token at a position, of [R, n], sees one of L keys that lie at their positions,
 * else MASKED.
 */
export function positionMaskOf(positions: Value, length: number, window?: number): Value {
  const [R, n] = positions.shape as [number, number];
  const shape = [R, n, length];
  const [own, key] = [broadcast(positions, shape, [0, 1]), iota(shape, 2)];
  const past = compare("LE", key, own);
  const near = () =>
    compare("GT", key, binary("subtract", own, splat([], "i32", window ?? length)));
  const seen = window === undefined ? past : binary("and", past, near());
  return select(reshape(seen, [R, 1, 1, n, length]), splat([], "f32", 0), splat([], "f32", MASKED));
}

/** [B, 1, 1, T, 1]: 0 for padding, else 1. */
export function rowMaskOf({ B, T }: Size, segments: Value): Value {
  const real = compare("NE", segments, splat([], "i32", 0));
  return select(reshape(real, [B, 1, 1, T, 1]), splat([], "f32", 1), splat([], "f32", 0));
}

function sameSegment({ B, T }: Size, segments: Value): Value {
  const shape = [B, T, T];
  const own = broadcast(segments, shape, [0, 1]);
  const equal = compare("EQ", own, broadcast(segments, shape, [0, 2]));
  return binary("and", equal, compare("NE", own, splat([], "i32", 0)));
}
