import type { tf } from "../tf.js";
import type {
  AttentionBlockOptions,
  AttentionBlockWeights,
  HeadCounts,
  SequenceLayout,
} from "../types.js";
import type { NativeBackend } from "./backend.js";
import { runFused } from "./fused.js";
import { createGradients } from "./gradients.js";

const NORM_STATS = 2;

function sizesOf(layout: SequenceLayout, heads: HeadCounts, headSize: number) {
  const { batchSize: batch, length, segments, positions } = layout;
  const { numHeads, numKvHeads } = heads;
  return { batch, length, segments, positions, numHeads, numKvHeads, headSize };
}

/** Causal attention with its own backward kernel; see the reference for the definition. */
export function causalAttention(
  backend: NativeBackend,
  inputs: { q: tf.Tensor2D; k: tf.Tensor2D; v: tf.Tensor2D },
  layout: SequenceLayout,
  heads: HeadCounts,
): tf.Tensor2D {
  const [rows, width] = inputs.q.shape;
  const sizes = sizesOf(layout, heads, width / heads.numHeads);
  return runFused({
    backend,
    inputs,
    forward(values, keep) {
      const { tensor, values: y } = backend.output([rows, width]);
      const mixed = keep("mixed", rows * width);
      const lse = keep("lse", rows * heads.numHeads);
      backend.addon.attention({ ...sizes, ...values, mixed, lse });
      y.set(mixed);
      return tensor;
    },
    backward(dmixed, values) {
      const grads = createGradients(backend, inputs);
      backend.addon.attentionGrad({ ...sizes, ...values, dmixed, ...grads.values });
      return grads.tensors;
    },
  }) as tf.Tensor2D;
}

/** The whole attention block; keeps rotated q, k, v, the mixed heads and the row statistics. */
export function attentionBlock(
  backend: NativeBackend,
  x: tf.Tensor2D,
  weights: AttentionBlockWeights,
  layout: SequenceLayout,
  options: AttentionBlockOptions,
): tf.Tensor2D {
  const { norm, q, k, v, o } = weights;
  const inputs = {
    x,
    normWeight: norm.weight,
    normBias: norm.bias,
    qWeight: q.weight,
    qBias: q.bias,
    kWeight: k.weight,
    kBias: k.bias,
    vWeight: v.weight,
    vBias: v.bias,
    oWeight: o.weight,
    oBias: o.bias,
  };
  const [rows, width] = x.shape;
  const qWidth = q.weight.shape[0];
  const sizes = {
    ...sizesOf(layout, options, qWidth / options.numHeads),
    width,
    ropeTheta: options.ropeTheta ?? 0,
    normEps: options.normEps,
    layerNorm: options.norm === "layer",
  };
  return runFused({
    backend,
    inputs,
    forward(values, keep) {
      const { tensor, values: y } = backend.output([rows, width]);
      const kept = {
        stats: keep("stats", rows * NORM_STATS),
        qkv: keep("qkv", rows * (qWidth + 2 * k.weight.shape[0])),
        mixed: keep("mixed", rows * qWidth),
        lse: keep("lse", rows * options.numHeads),
      };
      backend.addon.attentionBlock({ ...sizes, ...values, ...kept, y });
      return tensor;
    },
    backward(dy, values) {
      const grads = createGradients(backend, inputs);
      backend.addon.attentionBlockGrad({ ...sizes, ...values, dy, ...grads.values });
      return grads.tensors;
    },
  }) as tf.Tensor2D;
}
