import { checkIds, checkLinear, checkNorm, checkShape, fail } from "../checks.js";
import { currentEngine } from "../engines/current.js";
import { mergeWith } from "../engines/reference/basics.js";
import { tf } from "../tf.js";
import type { LinearWeights } from "../types.js";

/**
 * Rows of `table` [V, D] picked by `ids` [N] → [N, D]. Gradient: scatter-add into [V, D].
 * Throws when an id lies outside the table.
 */
export function embedding(ids: Int32Array, table: tf.Tensor2D): tf.Tensor2D {
  checkShape("embedding", "table", table, [null, null]);
  checkIds("embedding", "ids", ids, table.shape[0]);
  return currentEngine().ops.embedding(ids, table);
}

/** x [N, in] · weightᵀ [in, out] + bias → [N, out]; `weight` is [out, in]. */
export function linear(x: tf.Tensor2D, weight: tf.Tensor2D, bias?: tf.Tensor1D): tf.Tensor2D {
  checkShape("linear", "x", x, [null, null]);
  checkLinear("linear", "linear", { weight, bias }, [null, x.shape[1]]);
  return currentEngine().ops.linear(x, bias === undefined ? { weight } : { weight, bias });
}

/**
 * The weight of a map as it counts: weight + scale·b·a, of the same bits as where the map is used. The
 * weight itself without an adapter.
 */
export function mergedWeight(weights: LinearWeights): tf.Tensor2D {
  checkLinear("mergedWeight", "linear", weights, [null, null]);
  return tf.tidy(() => mergeWith(currentEngine().ops.linear, weights));
}

/** RMSNorm over the last axis of x [N, D]: x / sqrt(mean(x²) + eps) · weight. */
export function rmsNorm(x: tf.Tensor2D, weight: tf.Tensor1D, eps: number): tf.Tensor2D {
  checkShape("rmsNorm", "x", x, [null, null]);
  checkNorm("rmsNorm", { weight }, "rms", x.shape[1]);
  return currentEngine().ops.norm(x, { weight }, { norm: "rms", normEps: eps });
}

/** LayerNorm over the last axis of x [N, D], with biased variance; bias optional. */
export function layerNorm(
  x: tf.Tensor2D,
  weight: tf.Tensor1D,
  bias: tf.Tensor1D | undefined,
  eps: number,
): tf.Tensor2D {
  checkShape("layerNorm", "x", x, [null, null]);
  const weights = bias === undefined ? { weight } : { weight, bias };
  checkNorm("layerNorm", weights, "layer", x.shape[1]);
  return currentEngine().ops.norm(x, weights, { norm: "layer", normEps: eps });
}

/** silu(gate) ⊙ up, elementwise over equal shapes. */
export function swiglu<T extends tf.Tensor>(gate: T, up: T): T {
  checkShape("swiglu", "gate", gate, up.shape);
  return currentEngine().ops.gated("swiglu", gate, up);
}

/** GELU, tanh approximation (`gelu_new`, `gelu_pytorch_tanh`). */
export function gelu<T extends tf.Tensor>(x: T): T {
  if (x.dtype !== "float32") fail("gelu", `x must be float32, got ${x.dtype}`);
  return currentEngine().ops.activate("gelu", x);
}

/** factor · Σ x over x [N], a scalar: how a loss begins. */
export function scaledSum(x: tf.Tensor1D, factor: number): tf.Scalar {
  checkShape("scaledSum", "x", x, [null]);
  return currentEngine().ops.scaledSum(x, factor);
}
