import type { tf } from "../../tf.js";
import type { AttentionOptions, HeadCounts, SequenceLayout } from "../../types.js";
import type { NativeBackend } from "./backend.js";
import { scoreFields } from "./fields.js";
import { runFused } from "./fused.js";
import { createGradients } from "./gradients.js";

/** The fields by which the addon knows how rows form sequences and columns heads. */
export function attentionSizes(layout: SequenceLayout, heads: HeadCounts, headSize: number) {
  const { batchSize: batch, length, segments, positions } = layout;
  const { numHeads, numKvHeads } = heads;
  return { batch, length, segments, positions, numHeads, numKvHeads, headSize };
}

/** Causal attention with its own backward kernel; see the reference for the definition. */
export function causalAttention(
  backend: NativeBackend,
  inputs: { q: tf.Tensor2D; k: tf.Tensor2D; v: tf.Tensor2D },
  layout: SequenceLayout,
  options: AttentionOptions,
): tf.Tensor2D {
  const [rows, width] = inputs.q.shape;
  const headSize = width / options.numHeads;
  const sizes = {
    ...attentionSizes(layout, options, headSize),
    ...scoreFields(options, headSize),
    window: options.window ?? 0,
  };
  return runFused({
    backend,
    inputs,
    forward(values, keep) {
      const { tensor, values: y } = backend.output([rows, width]);
      const mixed = keep("mixed", rows * width);
      const lse = keep("lse", rows * options.numHeads);
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
