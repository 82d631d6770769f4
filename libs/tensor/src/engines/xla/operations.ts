import { positionsOf } from "../../layout.js";
import { tf } from "../../tf.js";
import type { AttentionOptions, RotaryOptions, SequenceLayout } from "../../types.js";
import { composeDecoder, type BlockOperations } from "../blocks.js";
import type { Operations } from "../engine.js";
import { attend, rotate } from "../reference/attention.js";
import { referenceOperations } from "../reference/engine.js";
import type { XlaBackend } from "./backend.js";
import { cudnnAttention, suitsCudnn } from "./cudnn-attention.js";
import { maskOf, rowMaskOf } from "./masks.js";
import { createRopeTables } from "./rope-tables.js";

/**
 * The definitions, recorded. What they would compute on the host from ids, segments and positions is
 * recorded too, so that a program has those as its inputs, not masks and angles.
 */
export function createOperations(backend: XlaBackend): Operations & BlockOperations {
  const tables = createRopeTables(backend);
  const rotary = (x: tf.Tensor2D, positions: Int32Array, options: RotaryOptions) =>
    rotate(x, options, () => tables.angles(options.rope, positions));
  const blocks: BlockOperations = {
    ...referenceOperations,
    rotary,
    causalAttention: (q, k, v, layout, options) =>
      backend.attention === "cudnn" && suitsCudnn(layout, options, q.shape[1])
        ? cudnnAttention(backend, [q, k, v], layout, options)
        : attend(q, { keys: k, values: v }, masksOf(backend, layout, options), options),
  };
  return {
    ...referenceOperations,
    ...blocks,
    decoderHidden: (ids, trunk, layout, rows) =>
      composeDecoder(blocks, ids, trunk, { ...layout, positions: positionsOf(layout) }, { rows }),
  };
}

function masksOf(backend: XlaBackend, layout: SequenceLayout, { window }: AttentionOptions) {
  const { batchSize: B, length: T, segments } = layout;
  const numbers = segments && backend.value(tf.tensor(segments, [B, T], "int32"));
  const mask = backend.tensor(maskOf({ B, T, window }, numbers));
  return numbers ? { mask, rowMask: backend.tensor(rowMaskOf({ B, T }, numbers)) } : { mask };
}
