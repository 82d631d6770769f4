import { isGated } from "../activations.js";
import { positionsOf } from "../layout.js";
import { tf } from "../tf.js";
import type {
  AttentionBlockOptions,
  AttentionOptions,
  DecoderLayer,
  DecoderTrunk,
  MlpBlockOptions,
  MlpBlockWeights,
  NormWeights,
  SequenceLayout,
} from "../types.js";
import type { Operations } from "./engine.js";

/** The operations that a decoder is made of. */
export type BlockOperations = Pick<
  Operations,
  "embedding" | "linear" | "norm" | "activate" | "gated" | "rotary" | "causalAttention"
>;

/** Attention of new tokens in a layer over what a cache holds of earlier ones. */
export type Attend = (
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  options: AttentionOptions,
) => tf.Tensor2D;

/**
 * A decoder of these operations: embedding, attention and MLP block in turn, final norm; with `rows` only
 * those leave the last attention. With `attends`, one a layer, tokens go on from what caches hold.
 */
export function composeDecoder(
  ops: BlockOperations,
  ids: Int32Array,
  trunk: DecoderTrunk,
  layout: SequenceLayout,
  {
    rows,
    attends,
  }: { rows?: Int32Array | undefined; attends?: readonly Attend[] | undefined } = {},
): tf.Tensor2D {
  const { positions, layers, residualScale = 1, parallel = false } = trunk;
  const embed = () => {
    const tokens = scaled(ops.embedding(ids, trunk.embedding), trunk.embeddingScale); // [N, D]
    return positions ? tf.add(tokens, ops.embedding(positionsOf(layout), positions)) : tokens;
  };
  let x = tf.tidy(embed) as tf.Tensor2D;
  // What a gradient still needs of an earlier value is kept by TFJS.
  const replace = (next: tf.Tensor2D) => {
    x.dispose();
    x = next;
  };
  const pick = (y: tf.Tensor2D, isLast: boolean) => (rows && isLast ? ops.embedding(rows, y) : y);
  layers.forEach((layer, i) => {
    const isLast = i === layers.length - 1;
    const scope = { layout, options: trunk.attentionOptions, attend: attends?.[i] };
    const next = tf.tidy(() => {
      const attended = scaled(attentionOf(ops, x, layer, scope), residualScale);
      const both = pick(tf.add(x, attended), isLast); // [R, D] in the last layer
      const into = parallel ? pick(x, isLast) : both;
      return tf.add(both, scaled(mlpOf(ops, into, layer.mlp, trunk.mlpOptions), residualScale));
    });
    replace(next as tf.Tensor2D);
  });
  replace(ops.norm(x, trunk.finalNorm, trunk.attentionOptions));
  return x;
}

interface AttentionScope {
  layout: SequenceLayout;
  options: AttentionBlockOptions;
  attend?: Attend | undefined;
}

/** What an attention block adds: Wo·attention(rotary(Wq·n), rotary(Wk·n), Wv·n) with n = norm(x). */
export function attentionOf(
  ops: BlockOperations,
  x: tf.Tensor2D,
  { attention, rope, window }: DecoderLayer,
  { layout, options, attend }: AttentionScope,
): tf.Tensor2D {
  const { numHeads, numKvHeads, normEps } = options;
  const normed = attention.norm ? ops.norm(x, attention.norm, options) : x;
  const turn = (y: tf.Tensor2D, heads: number, norm: NormWeights | undefined) => {
    const ready = norm ? normHeads(ops, y, norm, normEps) : y;
    return rope ? ops.rotary(ready, positionsOf(layout), { numHeads: heads, rope }) : ready;
  };
  const q = turn(ops.linear(normed, attention.q), numHeads, attention.qNorm);
  const k = turn(ops.linear(normed, attention.k), numKvHeads, attention.kNorm);
  const v = ops.linear(normed, attention.v);
  const how = { ...options, ...(window !== undefined && { window }) };
  const mixed = attend ? attend(q, k, v, how) : ops.causalAttention(q, k, v, layout, how);
  const out = ops.linear(mixed, attention.o);
  return attention.postNorm ? ops.norm(out, attention.postNorm, options) : out;
}

/** RMSNorm of each head [N, H·d], or of whole rows when the norm is as wide. */
function normHeads(
  ops: BlockOperations,
  x: tf.Tensor2D,
  norm: NormWeights,
  normEps: number,
): tf.Tensor2D {
  const heads = tf.reshape(x, [-1, norm.weight.size]) as tf.Tensor2D;
  return tf.reshape(ops.norm(heads, norm, { norm: "rms", normEps }), x.shape);
}

/** What an MLP block adds: Wdown·(act(Wgate·n) ⊙ Wup·n), or Wdown·act(Wup·n), with n = norm(x). */
export function mlpOf(
  ops: BlockOperations,
  x: tf.Tensor2D,
  weights: MlpBlockWeights,
  options: MlpBlockOptions,
): tf.Tensor2D {
  const { activation } = options;
  const normed = weights.norm ? ops.norm(x, weights.norm, options) : x;
  const up = ops.linear(normed, weights.up);
  const hidden = isGated(activation)
    ? ops.gated(activation, ops.linear(normed, weights.gate!), up)
    : ops.activate(activation, up);
  const out = ops.linear(hidden, weights.down);
  return weights.postNorm ? ops.norm(out, weights.postNorm, options) : out;
}

const scaled = (x: tf.Tensor2D, factor = 1): tf.Tensor2D => (factor === 1 ? x : tf.mul(x, factor));
