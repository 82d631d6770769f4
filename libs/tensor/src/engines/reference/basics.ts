import { functionOf, type GatedActivation, type PlainActivation } from "../../activations.js";
import { tf } from "../../tf.js";
import type { LinearWeights, NormKind, NormWeights } from "../../types.js";

/** Rows of `table` [V, D] picked by `ids` [N]; the gradient adds up the rows of equal ids. */
export function embedding(ids: Int32Array, table: tf.Tensor2D): tf.Tensor2D {
  // Not tf.gather's own gradient: unsortedSegmentSum costs V passes over dy on the cpu backend.
  const lookup = tf.customGrad<tf.Tensor>((...args) => {
    const [weight, save] = args as unknown as [tf.Tensor2D, tf.GradSaveFunc];
    save([]);
    return {
      value: tf.gather(weight, tf.tensor1d(ids, "int32")),
      gradFunc: (dy: tf.Tensor) =>
        tf.scatterND(tf.tensor2d(ids, [ids.length, 1], "int32"), dy, weight.shape),
    };
  });
  return lookup(table) as tf.Tensor2D;
}

/** x [N, in] · weightᵀ + bias → [N, out]. */
export function linear(x: tf.Tensor2D, weights: LinearWeights): tf.Tensor2D {
  const { bias } = weights;
  const y: tf.Tensor2D = tf.matMul(x, mergeWith(linear, weights), false, true);
  return bias === undefined ? y : tf.add(y, bias);
}

/** weight + (scale·b)·a, the product as `product` makes it, a linear map; the weight itself without an adapter. */
export function mergeWith(product: typeof linear, { weight, adapter }: LinearWeights): tf.Tensor2D {
  if (!adapter) return weight;
  const scaled: tf.Tensor2D = tf.mul(adapter.b, adapter.scale);
  return tf.add(weight, product(scaled, { weight: tf.transpose(adapter.a) }));
}

/** x / sqrt(mean(x²) + eps) · weight (Zhang & Sennrich 2019). */
export function rmsNorm(x: tf.Tensor2D, weight: tf.Tensor1D, eps: number): tf.Tensor2D {
  const scale = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), eps)); // [N, 1]
  return tf.mul(tf.mul(x, scale), weight);
}

/** (x − mean) / sqrt(var + eps) · weight + bias, biased variance (Ba et al. 2016). */
export function layerNorm(x: tf.Tensor2D, { weight, bias }: NormWeights, eps: number): tf.Tensor2D {
  const centered = tf.sub(x, tf.mean(x, -1, true));
  const scale = tf.rsqrt(tf.add(tf.mean(tf.square(centered), -1, true), eps)); // [N, 1]
  const y: tf.Tensor2D = tf.mul(tf.mul(centered, scale), weight);
  return bias === undefined ? y : tf.add(y, bias);
}

export function norm(
  x: tf.Tensor2D,
  weights: NormWeights,
  options: { norm: NormKind; normEps: number },
): tf.Tensor2D {
  if (options.norm === "layer") return layerNorm(x, weights, options.normEps);
  return rmsNorm(x, weights.weight, options.normEps);
}

/** act(gate) ⊙ up (Shazeer 2020). */
export function gated<T extends tf.Tensor>(activation: GatedActivation, gate: T, up: T): T {
  return tf.mul(activate(functionOf(activation), gate), up);
}

export function activate<T extends tf.Tensor>(activation: PlainActivation, x: T): T {
  switch (activation) {
    case "silu":
      return tf.mul(x, tf.sigmoid(x));
    case "gelu":
      return gelu(x);
    case "gelu-erf":
      return tf.mul(tf.mul(0.5, x), tf.add(1, tf.erf(tf.mul(x, Math.SQRT1_2))));
    case "relu":
      return tf.relu(x);
    case "tanh":
      return tf.tanh(x);
  }
}

/** GELU by its tanh approximation (Hendrycks & Gimpel 2016), GPT-2's `gelu_new`. */
function gelu<T extends tf.Tensor>(x: T): T {
  const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.pow(x, 3))));
  return tf.mul(tf.mul(0.5, x), tf.add(1, tf.tanh(inner)));
}

/** factor · Σ x. */
export function scaledSum(x: tf.Tensor1D, factor: number): tf.Scalar {
  return tf.mul(tf.sum(x), factor);
}
