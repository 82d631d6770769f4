import { checkHeads, checkLayout, checkLength, checkShape, fail } from "../checks.js";
import { currentEngine } from "../engines/current.js";
import type { tf } from "../tf.js";
import type { HeadCounts, RotaryOptions, SequenceLayout } from "../types.js";

/** Rotary embedding of x [N, numHeads·d] at `positions` [N], half-split pairs; d must be even. */
export function rotary(x: tf.Tensor2D, positions: Int32Array, options: RotaryOptions): tf.Tensor2D {
  checkShape("rotary", "x", x, [positions.length, null]);
  checkHeadSize("rotary", x.shape[1], options.numHeads, true);
  return currentEngine().ops.rotary(x, positions, options);
}

/**
 * softmax(q·kᵀ/√d)·v for every head, causal and within segments; q [N, H·d], k and v [N, Hkv·d]
 * → [N, H·d]. Rows of padding yield zeros.
 */
export function causalAttention(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  layout: SequenceLayout,
  heads: HeadCounts,
): tf.Tensor2D {
  checkHeads("causalAttention", heads);
  checkShape("causalAttention", "q", q, [null, null]);
  checkLayout("causalAttention", layout, q.shape[0]);
  const headSize = checkHeadSize("causalAttention", q.shape[1], heads.numHeads, false);
  checkShape("causalAttention", "k", k, [q.shape[0], headSize * heads.numKvHeads]);
  checkShape("causalAttention", "v", v, k.shape);
  return currentEngine().ops.causalAttention(q, k, v, layout, heads);
}

/** The width of a head. */
export function checkHeadSize(op: string, width: number, numHeads: number, even: boolean): number {
  const headSize = width / numHeads;
  if (!Number.isInteger(headSize))
    fail(op, `width ${width} does not divide into ${numHeads} heads`);
  if (even && headSize % 2 !== 0) fail(op, `rotary needs an even head size, got ${headSize}`);
  checkLength(op, "heads", headSize * numHeads, width);
  return headSize;
}
