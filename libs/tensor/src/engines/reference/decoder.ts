import type { tf } from "../../tf.js";
import type { DecoderTrunk, SequenceLayout } from "../../types.js";
import { composeDecoder, type BlockOperations } from "../blocks.js";
import { attendCached, causalAttention, rotary, type AttentionCache } from "./attention.js";
import { activate, embedding, gated, linear, norm } from "./basics.js";

const blocks: BlockOperations = {
  embedding,
  linear,
  norm,
  activate,
  gated,
  rotary,
  causalAttention,
};

/**
 * Embedding, attention and MLP block in turn, final norm; with `rows` only those leave the last attention.
 * With a cache for each layer the tokens go on from what the caches hold.
 */
export function decoderHidden(
  ids: Int32Array,
  trunk: DecoderTrunk,
  layout: SequenceLayout,
  rows?: Int32Array,
  caches?: readonly AttentionCache[],
): tf.Tensor2D {
  return composeDecoder(blocks, ids, trunk, layout, { rows, attends: caches?.map(attendCached) });
}
