import { checkLinear, checkNorm, checkShape, fail } from "../checks.js";
import { implementation } from "../implementation.js";
import type { tf } from "../tf.js";
import type { MlpBlockOptions, MlpBlockWeights } from "../types.js";

/**
 * One feed-forward block with its residual, n = norm(x): x + Wdown·(silu(Wgate·n) ⊙ Wup·n) for
 * "swiglu", x + Wdown·gelu(Wup·n) for "gelu"; x [N, D] → [N, D].
 */
export function mlpBlock(
  x: tf.Tensor2D,
  weights: MlpBlockWeights,
  options: MlpBlockOptions,
): tf.Tensor2D {
  const op = "mlpBlock";
  checkShape(op, "x", x, [null, null]);
  const width = x.shape[1];
  if ((weights.gate !== undefined) !== (options.activation === "swiglu")) {
    fail(op, `activation "${options.activation}" ${weights.gate ? "has no" : "needs a"} gate`);
  }
  checkNorm(op, weights.norm, options.norm, width);
  checkLinear(op, "up", weights.up, [null, width]);
  const inner = weights.up.weight.shape[0];
  if (weights.gate !== undefined) checkLinear(op, "gate", weights.gate, [inner, width]);
  checkLinear(op, "down", weights.down, [width, inner]);
  return implementation().mlpBlock(x, weights, options);
}
