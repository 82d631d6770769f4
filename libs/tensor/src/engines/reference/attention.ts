import { tf } from "../../tf.js";
import type { AttentionOptions, Rope, RotaryOptions, SequenceLayout } from "../../types.js";
import type { Attend } from "../blocks.js";

/** Large enough to vanish after exp, small enough that max-subtraction stays finite. */
export const MASKED = -1e30;

/** What the new tokens of a layer see of earlier ones. */
export interface AttentionCache {
  /** Takes keys and values of the new tokens, [B·n, Hkv·d], and gives those of all they see, [B·L, Hkv·d]. */
  extend(keys: tf.Tensor2D, values: tf.Tensor2D): { keys: tf.Tensor2D; values: tf.Tensor2D };
  /** [B, 1, 1, n, L]: 0 where a new token sees a key, else MASKED; the cache's to dispose. */
  mask(window: number | undefined): tf.Tensor;
}

/** Cosine and sine of each row's angles, [N, 1, n]. */
export interface Angles {
  cos: tf.Tensor3D;
  sin: tf.Tensor3D;
}

/** Rotary embedding (Su et al. 2021) in Hugging Face's half-split layout; x is [N, numHeads·d]. */
export function rotary(x: tf.Tensor2D, positions: Int32Array, options: RotaryOptions): tf.Tensor2D {
  return rotate(x, options, () => angles(positions, options.rope));
}

/** `rotary` by angles that somebody else has. */
export function rotate(
  x: tf.Tensor2D,
  { numHeads, rope }: RotaryOptions,
  anglesOf: () => Angles,
): tf.Tensor2D {
  const [numRows, width] = x.shape;
  const size = width / numHeads;
  const half = rope.frequencies.length;
  const whole = tf.reshape(x, [numRows, numHeads, size]) as tf.Tensor3D;
  if (2 * half === size) return tf.reshape(turned(whole, anglesOf()), [numRows, width]);
  const [some, rest] = tf.split(whole, [2 * half, size - 2 * half], 2) as [
    tf.Tensor3D,
    tf.Tensor3D,
  ];
  return tf.reshape(tf.concat([turned(some, anglesOf()), rest], 2), [numRows, width]);
}

/** All pairs of x [N, H, 2n]. */
function turned(x: tf.Tensor3D, { cos, sin }: Angles): tf.Tensor3D {
  const [numRows, numHeads, width] = x.shape;
  const heads = tf.reshape(x, [numRows, numHeads, 2, width / 2]);
  const [first, second] = tf.unstack(heads, 2) as [tf.Tensor3D, tf.Tensor3D]; // [N, H, n]
  const rotated = tf.stack(
    [
      tf.sub(tf.mul(first, cos), tf.mul(second, sin)),
      tf.add(tf.mul(second, cos), tf.mul(first, sin)),
    ],
    2,
  ); // [N, H, 2, n]
  return tf.reshape(rotated, x.shape);
}

function angles(positions: Int32Array, rope: Rope): Angles {
  const { cos, sin } = anglesAt(positions, rope);
  const shape: [number, number, number] = [positions.length, 1, rope.frequencies.length];
  return { cos: tf.tensor3d(cos, shape), sin: tf.tensor3d(sin, shape) };
}

/** Cosine and sine of all pairs at each position, computed in double precision. */
export function anglesAt(positions: Int32Array, { frequencies, scale = 1 }: Rope) {
  const half = frequencies.length;
  const cos = new Float32Array(positions.length * half);
  const sin = new Float32Array(positions.length * half);
  for (let row = 0; row < positions.length; row++) {
    for (let i = 0; i < half; i++) {
      const angle = (positions[row] ?? 0) * frequencies[i]!;
      cos[row * half + i] = scale * Math.cos(angle);
      sin[row * half + i] = scale * Math.sin(angle);
    }
  }
  return { cos, sin };
}

/** softmax(q·kᵀ·scale + mask)·v, scores capped first where asked for; q [N, H·d], k and v [N, Hkv·d] → [N, H·d]. */
export function causalAttention(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  layout: SequenceLayout,
  options: AttentionOptions,
): tf.Tensor2D {
  return attend(q, { keys: k, values: v }, masks(layout, options.window), options);
}

interface Masks {
  /** [B, 1, 1, n, L] added to the scores. */
  mask: tf.Tensor;
  /** Factor on the weights, of a shape that broadcasts to theirs. */
  rowMask?: tf.Tensor;
}

/** The n new tokens of B sequences over L keys each: q [B·n, H·d], keys and values [B·L, Hkv·d]. */
export function attend(
  q: tf.Tensor2D,
  { keys, values }: { keys: tf.Tensor2D; values: tf.Tensor2D },
  masks: Masks,
  options: AttentionOptions,
): tf.Tensor2D {
  const [B, , , , L] = masks.mask.shape as [number, number, number, number, number];
  const byHead = (x: tf.Tensor2D) => {
    const heads = tf.reshape(x, [B, L, options.numKvHeads, x.shape[1] / options.numKvHeads]);
    return tf.transpose(heads, [0, 2, 1, 3]) as tf.Tensor4D;
  };
  return attendHeads(q, { keys: byHead(keys), values: byHead(values) }, masks, options);
}

/** `attend` over keys and values by head, [B, Hkv, L, d]. */
export function attendHeads(
  q: tf.Tensor2D,
  { keys, values }: { keys: tf.Tensor4D; values: tf.Tensor4D },
  { mask, rowMask }: Masks,
  { numHeads: H, numKvHeads: G, scale, softcap }: AttentionOptions,
): tf.Tensor2D {
  const [B, , , n, L] = mask.shape as [number, number, number, number, number];
  const d = q.shape[1] / H;
  const group = H / G;
  const q5 = tf.transpose(tf.reshape(q, [B, n, G, group, d]), [0, 2, 3, 1, 4]);
  const q4 = tf.reshape(q5, [B, G, group * n, d]); // the heads of a group share keys: stack them
  const plain = tf.mul(tf.matMul(q4, keys, false, true), scale ?? 1 / Math.sqrt(d)); // [B, G, group·n, L]
  const scores = softcap === undefined ? plain : capped(plain, softcap);
  const all = tf.softmax(tf.add(tf.reshape(scores, [B, G, group, n, L]), mask));
  const weights = rowMask ? tf.mul(all, rowMask) : all;
  const mixed = tf.matMul(tf.reshape(weights, [B, G, group * n, L]), values); // [B, G, group·n, d]
  const out = tf.transpose(tf.reshape(mixed, [B, G, group, n, d]), [0, 3, 1, 2, 4]);
  return tf.reshape(out, [B * n, H * d]);
}

/** cap·tanh(x/cap). */
export function capped<T extends tf.Tensor>(x: T, cap: number): T {
  return tf.mul(tf.tanh(tf.div(x, cap)), cap);
}

function masks({ batchSize: B, length: T, segments }: SequenceLayout, window = T) {
  const mask = new Float32Array(B * T * T);
  const rowMask = new Float32Array(B * T);
  for (let row = 0; row < B * T; row++) {
    const segment = segments?.[row] ?? 1;
    rowMask[row] = segment === 0 ? 0 : 1;
    const first = row - (row % T);
    for (let j = 0; j < T; j++) {
      const key = first + j;
      const isNear = key <= row && key > row - window;
      const visible = isNear && segment !== 0 && (segments?.[key] ?? 1) === segment;
      mask[row * T + j] = visible ? 0 : MASKED;
    }
  }
  return {
    mask: tf.tensor(mask, [B, 1, 1, T, T]),
    rowMask: tf.tensor(rowMask, [B, 1, 1, T, 1]),
  };
}

/** Attention over a cache. */
export function attendCached(cache: AttentionCache): Attend {
  return (q, k, v, options) =>
    attend(q, cache.extend(k, v), { mask: cache.mask(options.window) }, options);
}
