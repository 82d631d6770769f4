import { tf } from "../../tf.js";
import type { MlpBlockOptions, MlpBlockWeights } from "../../types.js";
import { gelu, linear, norm, swiglu } from "./basics.js";

/** x + Wdown·(silu(Wgate·n) ⊙ Wup·n), or x + Wdown·gelu(Wup·n), with n = norm(x). */
export function mlpBlock(
  x: tf.Tensor2D,
  weights: MlpBlockWeights,
  options: MlpBlockOptions,
): tf.Tensor2D {
  const normed = norm(x, weights.norm, options);
  const up = linear(normed, weights.up);
  const hidden = weights.gate === undefined ? gelu(up) : swiglu(linear(normed, weights.gate), up);
  return tf.add(x, linear(hidden, weights.down));
}
