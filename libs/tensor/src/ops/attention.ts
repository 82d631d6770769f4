import {
  checkHeads,
  checkLayout,
  checkLength,
  checkLinear,
  checkNorm,
  checkShape,
  fail,
} from "../checks.js";
import { implementation } from "../implementation.js";
import type { tf } from "../tf.js";
import type {
  AttentionBlockOptions,
  AttentionBlockWeights,
  HeadCounts,
  RotaryOptions,
  SequenceLayout,
} from "../types.js";

/** Rotary embedding of x [N, numHeads·d] at `positions` [N], half-split pairs; d must be even. */
export function rotary(x: tf.Tensor2D, positions: Int32Array, options: RotaryOptions): tf.Tensor2D {
  checkShape("rotary", "x", x, [positions.length, null]);
  checkHeadSize("rotary", x.shape[1], options.numHeads, true);
  return implementation().rotary(x, positions, options);
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
  return implementation().causalAttention(q, k, v, layout, heads);
}

/**
 * One attention block with its residual: x + Wo·attention(rotary(Wq·n), rotary(Wk·n), Wv·n), where
 * n = norm(x); x [N, D] → [N, D]. Without `ropeTheta` nothing is rotated.
 */
export function attentionBlock(
  x: tf.Tensor2D,
  weights: AttentionBlockWeights,
  layout: SequenceLayout,
  options: AttentionBlockOptions,
): tf.Tensor2D {
  const op = "attentionBlock";
  checkShape(op, "x", x, [null, null]);
  const [numRows, width] = x.shape;
  checkHeads(op, options);
  checkLayout(op, layout, numRows);
  checkNorm(op, weights.norm, options.norm, width);
  checkLinear(op, "q", weights.q, [null, width]);
  const qWidth = weights.q.weight.shape[0];
  const headSize = checkHeadSize(op, qWidth, options.numHeads, options.ropeTheta !== undefined);
  const kvWidth = headSize * options.numKvHeads;
  checkLinear(op, "k", weights.k, [kvWidth, width]);
  checkLinear(op, "v", weights.v, [kvWidth, width]);
  checkLinear(op, "o", weights.o, [width, qWidth]);
  return implementation().attentionBlock(x, weights, layout, options);
}

function checkHeadSize(op: string, width: number, numHeads: number, even: boolean): number {
  const headSize = width / numHeads;
  if (!Number.isInteger(headSize))
    fail(op, `width ${width} does not divide into ${numHeads} heads`);
  if (even && headSize % 2 !== 0) fail(op, `rotary needs an even head size, got ${headSize}`);
  checkLength(op, "heads", headSize * numHeads, width);
  return headSize;
}
