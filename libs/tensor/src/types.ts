import type { tf } from "./tf.js";

/**
 * How N = batchSize × length rows form sequences. Row `b * length + t` is token t of sequence b.
 */
export interface SequenceLayout {
  batchSize: number;
  length: number;
  /**
   * [N] document number of each row; 0 = padding. A row attends only to earlier rows (and itself)
   * with the same non-zero number; padding rows attend to nothing and yield zeros. Default all 1.
   */
  segments?: Int32Array;
  /** [N] rotary position of each row; default 0 … length-1 in every sequence. */
  positions?: Int32Array;
}

/** An affine map: `weight` is [out, in] as in Hugging Face, `bias` is [out]. */
export interface LinearWeights {
  weight: tf.Tensor2D;
  bias?: tf.Tensor1D;
}

export interface NormWeights {
  weight: tf.Tensor1D;
  bias?: tf.Tensor1D;
}

export type NormKind = "rms" | "layer";

export interface AttentionBlockWeights {
  norm: NormWeights;
  q: LinearWeights;
  k: LinearWeights;
  v: LinearWeights;
  o: LinearWeights;
}

export interface HeadCounts {
  numHeads: number;
  /** Key/value heads, a divisor of numHeads (grouped queries). */
  numKvHeads: number;
}

export interface AttentionBlockOptions extends HeadCounts {
  norm: NormKind;
  normEps: number;
  /** Base of the rotary embedding; leave out for models with learned positions (GPT-2). */
  ropeTheta?: number;
}

export interface MlpBlockWeights {
  norm: NormWeights;
  /** Only with activation "swiglu". */
  gate?: LinearWeights;
  up: LinearWeights;
  down: LinearWeights;
}

export interface MlpBlockOptions {
  norm: NormKind;
  normEps: number;
  activation: "swiglu" | "gelu";
}

/** A decoder-only transformer up to its heads; its layers have the same sizes. */
export interface DecoderTrunk {
  embedding: tf.Tensor2D; // [V, D]
  /** Learned positions [P, D] (GPT-2). */
  positions?: tf.Tensor2D;
  layers: readonly { attention: AttentionBlockWeights; mlp: MlpBlockWeights }[];
  finalNorm: NormWeights;
  attentionOptions: AttentionBlockOptions;
  /** The norm is that of the attention blocks. */
  mlpOptions: MlpBlockOptions;
}

export interface RotaryOptions {
  numHeads: number;
  theta: number;
}

export interface TokenLogProbsOptions {
  /** Logits are divided by it before the softmax; default 1. */
  temperature?: number;
  /** Lets the entropy carry a gradient too (entropy bonus); default false. */
  withEntropyGradient?: boolean;
}

export interface TokenLogProbs {
  /** [N] log p(target); 0 where the target is negative. */
  logProbs: tf.Tensor1D;
  /** [N] entropy of the distribution in nats; 0 where the target is negative. */
  entropy: tf.Tensor1D;
}
