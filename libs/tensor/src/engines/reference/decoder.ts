import { positionsOf } from "../../layout.js";
import { tf } from "../../tf.js";
import type { DecoderTrunk, SequenceLayout } from "../../types.js";
import { attentionBlock, type AttentionCache } from "./attention.js";
import { embedding, norm } from "./basics.js";
import { mlpBlock } from "./mlp.js";

/**
 * Embedding, attention and MLP block in turn, final norm; with `rows` only those leave the last attention.
 * With a cache for each layer the tokens go on from what the caches hold.
 */
export function decoderHidden(
  ids: Int32Array,
  { embedding: table, positions, layers, finalNorm, ...options }: DecoderTrunk,
  layout: SequenceLayout,
  rows?: Int32Array,
  caches?: readonly AttentionCache[],
): tf.Tensor2D {
  let x = embedding(ids, table); // [N, D]
  // What a gradient still needs of an earlier value is kept by TFJS.
  const replace = (next: tf.Tensor2D) => {
    x.dispose();
    x = next;
  };
  if (positions) replace(tf.add(x, embedding(positionsOf(layout), positions)));
  layers.forEach(({ attention, mlp }, i) => {
    replace(attentionBlock(x, attention, layout, options.attentionOptions, caches?.[i]));
    if (rows && i === layers.length - 1) replace(embedding(rows, x)); // [R, D]
    replace(mlpBlock(x, mlp, options.mlpOptions));
  });
  replace(norm(x, finalNorm, options.attentionOptions));
  return x;
}
