import { checkHeads, checkLayout, checkLength, checkShape, fail } from "../checks.js";
import { currentEngine } from "../engines/current.js";
import type { tf } from "../tf.js";
import type { AttentionOptions, Rope, RotaryOptions, SequenceLayout } from "../types.js";

/** Rotary embedding of x [N, numHeads·d] at `positions` [N], half-split pairs; d must be even. */
export function rotary(x: tf.Tensor2D, positions: Int32Array, options: RotaryOptions): tf.Tensor2D {
  checkShape("rotary", "x", x, [positions.length, null]);
  const headSize = checkHeadSize("rotary", x.shape[1], options.numHeads);
  checkRope("rotary", options.rope, headSize);
  return currentEngine().ops.rotary(x, positions, options);
}

/**
 * softmax(q·kᵀ/√d)·v for every head, causal and within segments; q [N, H·d], k and v [N, Hkv·d]
 * → [N, H·d]. Rows of padding yield zeros. `options` may have another scale, a cap on scores and a window.
 */
export function causalAttention(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  layout: SequenceLayout,
  options: AttentionOptions,
): tf.Tensor2D {
  checkHeads("causalAttention", options);
  checkShape("causalAttention", "q", q, [null, null]);
  checkLayout("causalAttention", layout, q.shape[0]);
  const headSize = checkHeadSize("causalAttention", q.shape[1], options.numHeads);
  checkShape("causalAttention", "k", k, [q.shape[0], headSize * options.numKvHeads]);
  checkShape("causalAttention", "v", v, k.shape);
  return currentEngine().ops.causalAttention(q, k, v, layout, options);
}

/** The width of a head. */
export function checkHeadSize(op: string, width: number, numHeads: number): number {
  const headSize = width / numHeads;
  if (!Number.isInteger(headSize))
    fail(op, `width ${width} does not divide into ${numHeads} heads`);
  checkLength(op, "heads", headSize * numHeads, width);
  return headSize;
}

/** No more pairs than a head has. */
export function checkRope(op: string, { frequencies }: Rope, headSize: number): void {
  const { length } = frequencies;
  if (length >= 1 && 2 * length <= headSize) return;
  fail(op, `a rope of ${length} pairs does not fit heads of ${headSize}`);
}
