import { tf } from "../../tf.js";
import type { TokenLogProbs, TokenLogProbsOptions } from "../../types.js";
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
  const { temperature = 1, withEntropyGradient = false, softcap = 0 } = options;
  const sizes = { rows, width, vocab: inputs.weight.shape[0], temperature, softcap, targets };
  // Entropies that carry a gradient are a second row of the operation's result; the others lie apart.
  const apart = withEntropyGradient ? undefined : backend.output<tf.Tensor1D>([rows]);
  const result = runFused({
    backend,
    inputs,
    forward(values, keep) {
      const { tensor, values: y } = backend.output(apart ? [rows] : [2, rows]);
      const logProbs = y.subarray(0, rows);
      const [entropy, lse] = [keep("entropy", rows), keep("lse", rows)];
      backend.addon.tokenLogProbs({ ...sizes, ...values, logProbs, entropy, lse });
      (apart?.values ?? y.subarray(rows)).set(entropy);
      return tensor;
    },
    backward(dy, values) {
      const grads = createGradients(backend, inputs, ["weight"]);
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
  if (apart) return { logProbs: result as tf.Tensor1D, entropy: apart.tensor };
  const [logProbs, entropy] = tf.unstack(result) as [tf.Tensor1D, tf.Tensor1D];
  result.dispose();
  return { logProbs, entropy };
}
