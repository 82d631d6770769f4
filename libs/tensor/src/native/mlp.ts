import type { tf } from "../tf.js";
import type { MlpBlockOptions, MlpBlockWeights } from "../types.js";
import type { NativeBackend } from "./backend.js";
import { runFused } from "./fused.js";
import { createGradients } from "./gradients.js";

const NORM_STATS = 2;

/** The whole feed-forward block; for its gradient it keeps the layer before the activation. */
export function mlpBlock(
  backend: NativeBackend,
  x: tf.Tensor2D,
  weights: MlpBlockWeights,
  options: MlpBlockOptions,
): tf.Tensor2D {
  const { norm, gate, up, down } = weights;
  const inputs = {
    x,
    normWeight: norm.weight,
    normBias: norm.bias,
    gateWeight: gate?.weight,
    gateBias: gate?.bias,
    upWeight: up.weight,
    upBias: up.bias,
    downWeight: down.weight,
    downBias: down.bias,
  };
  const [rows, width] = x.shape;
  const inner = up.weight.shape[0];
  const gated = gate !== undefined;
  const layerNorm = options.norm === "layer";
  const sizes = { rows, width, inner, gated, normEps: options.normEps, layerNorm };
  return runFused({
    backend,
    inputs,
    forward(values, keep, keepForGradient) {
      const { tensor, values: y } = backend.output([rows, width]);
      const stats = keep("stats", rows * NORM_STATS);
      const hidden = keepForGradient("hidden", rows * inner * (gated ? 2 : 1));
      backend.addon.mlpBlock({ ...sizes, ...values, stats, hidden, y });
      return tensor;
    },
    backward(dy, values) {
      const grads = createGradients(backend, inputs);
      backend.addon.mlpBlockGrad({ ...sizes, ...values, dy, ...grads.values });
      return grads.tensors;
    },
  }) as tf.Tensor2D;
}
