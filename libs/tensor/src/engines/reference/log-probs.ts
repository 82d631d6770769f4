import { tf } from "../../tf.js";
import type { TokenLogProbs, TokenLogProbsOptions } from "../../types.js";
import { capped } from "./attention.js";

/** log softmax(hidden·weightᵀ / temperature) at the targets, and the entropy of each row. */
export function tokenLogProbs(
  hidden: tf.Tensor2D,
  weight: tf.Tensor2D,
  targets: Int32Array,
  options: TokenLogProbsOptions = {},
): TokenLogProbs {
  const { temperature = 1, withEntropyGradient = false, softcap } = options;
  const vocabSize = weight.shape[0];
  const mask = tf.tensor1d(Float32Array.from(targets, (id) => (id < 0 ? 0 : 1)));
  const safe = tf.tensor1d(
    targets.map((id) => Math.max(id, 0)),
    "int32",
  );
  const plain = tf.matMul(hidden, weight, false, true); // [N, V]
  const logits = tf.div(softcap === undefined ? plain : capped(plain, softcap), temperature);
  const all = tf.logSoftmax(logits) as tf.Tensor2D;
  const logProbs = tf.mul(tf.sum(tf.mul(all, tf.oneHot(safe, vocabSize)), 1), mask);
  const entropyOf = (logs: tf.Tensor2D) =>
    tf.mul(tf.neg(tf.sum(tf.mul(tf.exp(logs), logs), 1)), mask);
  const entropy = withEntropyGradient ? entropyOf(all) : withoutGradient(all, entropyOf);
  return { logProbs: logProbs as tf.Tensor1D, entropy: entropy as tf.Tensor1D };
}

function withoutGradient(x: tf.Tensor2D, f: (x: tf.Tensor2D) => tf.Tensor): tf.Tensor {
  const detached = tf.customGrad((...args) => {
    const [value] = args as unknown as [tf.Tensor2D];
    return { value: f(value), gradFunc: () => tf.zerosLike(value) };
  });
  return detached(x);
}
