import { tf } from "../tf.js";
import type { TokenLogProbs, TokenLogProbsOptions } from "../types.js";
import type { NativeBackend } from "./backend.js";
import { runFused } from "./fused.js";
import { createGradients } from "./gradients.js";

/** Log-probabilities and entropy in one pass over tiles of the vocabulary. */
export function tokenLogProbs(
  backend: NativeBackend,
  inputs: { hidden: tf.Tensor2D; weight: tf.Tensor2D },
  targets: Int32Array,
  options: TokenLogProbsOptions,
): TokenLogProbs {
  const [rows, width] = inputs.hidden.shape;
  const { temperature = 1, withEntropyGradient = false } = options;
  const sizes = { rows, width, vocab: inputs.weight.shape[0], temperature, targets };
  const both = runFused({
    backend,
    inputs,
    forward(values, keep) {
      const { tensor, values: y } = backend.output([2, rows]); // log-probs, then entropies
      const logProbs = y.subarray(0, rows);
      const entropy = keep("entropy", rows);
      backend.addon.tokenLogProbs({
        ...sizes,
        ...values,
        logProbs,
        entropy,
        lse: keep("lse", rows),
      });
      y.set(entropy, rows);
      return tensor;
    },
    backward(dy, values) {
      const grads = createGradients(backend, inputs);
      backend.addon.tokenLogProbsGrad({
        ...sizes,
        ...values,
        dLogProbs: dy.subarray(0, rows),
        dEntropy: withEntropyGradient ? dy.subarray(rows) : undefined,
        dHidden: grads.values["dhidden"],
        dWeight: grads.values["dweight"],
      });
      return grads.tensors;
    },
  });
  const [logProbs, entropy] = tf.unstack(both) as [tf.Tensor1D, tf.Tensor1D];
  both.dispose();
  return { logProbs, entropy };
}
