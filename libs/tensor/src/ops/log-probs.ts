import { checkIds, checkLength, checkShape, fail } from "../checks.js";
import { currentEngine } from "../engines/current.js";
import type { tf } from "../tf.js";
import type { TokenLogProbs, TokenLogProbsOptions } from "../types.js";

/**
 * log softmax(hidden·weightᵀ / temperature)[target] for every row, and the row's entropy in nats;
 * hidden [N, D], weight [V, D], targets [N]. Rows with a negative target are ignored: both results
 * are 0 and no gradient flows. The native engine never holds more than a tile of the [N, V] logits.
 */
export function tokenLogProbs(
  hidden: tf.Tensor2D,
  weight: tf.Tensor2D,
  targets: Int32Array,
  options: TokenLogProbsOptions = {},
): TokenLogProbs {
  const op = "tokenLogProbs";
  checkShape(op, "hidden", hidden, [null, null]);
  checkShape(op, "weight", weight, [null, hidden.shape[1]]);
  checkLength(op, "targets", targets.length, hidden.shape[0]);
  checkIds(op, "targets", targets, weight.shape[0], -(2 ** 31));
  const temperature = options.temperature ?? 1;
  if (!(temperature > 0)) fail(op, `temperature must be above 0, got ${temperature}`);
  const { softcap = 1 } = options;
  if (!(softcap > 0)) fail(op, `softcap must be above 0, got ${softcap}`);
  return currentEngine().ops.tokenLogProbs(hidden, weight, targets, options);
}
