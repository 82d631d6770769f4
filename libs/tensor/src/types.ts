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

/** Low-rank factors beside a weight, which counts as weight + scale·b·a. */
export interface LinearAdapter {
  a: tf.Tensor2D; // [rank, in]
  b: tf.Tensor2D; // [out, rank]
  scale: number;
}

/** An affine map: `weight` is [out, in] as in Hugging Face, `bias` is [out]. */
export interface LinearWeights {
  weight: tf.Tensor2D;
  bias?: tf.Tensor1D;
  adapter?: LinearAdapter;
}

export interface NormWeights {
  weight: tf.Tensor1D;
  bias?: tf.Tensor1D;
}

export type NormKind = "rms" | "layer";

/**
 * Rotary angles (Su et al. 2021): position p turns pair i of a head, its dimensions i and i + n of n pairs,
 * by p · frequencies[i]. Dimensions from 2n on stay as they are.
 */
export interface Rope {
  readonly frequencies: Float64Array;
  /** Factor on cosine and sine, YaRN's attention factor; default 1. */
  readonly scale?: number;
}

export interface AttentionBlockWeights {
  /** Of what goes in; without, it goes in as it is (OLMo 2). */
  norm?: NormWeights;
  q: LinearWeights;
  k: LinearWeights;
  v: LinearWeights;
  o: LinearWeights;
  /** RMSNorm of queries and of keys before they are rotated: of each head, or of all when it is as wide. */
  qNorm?: NormWeights;
  kNorm?: NormWeights;
  /** Of what comes out, before it is added. */
  postNorm?: NormWeights;
}

export interface HeadCounts {
  numHeads: number;
  /** Key/value heads, a divisor of numHeads (grouped queries). */
  numKvHeads: number;
}

/** How scores become weights. */
export interface AttentionOptions extends HeadCounts {
  /** Factor on q·k; default 1/√d. */
  scale?: number;
  /** c·tanh(s/c) in place of a score s (Gemma 2). */
  softcap?: number;
  /** A token sees so many tokens, itself the last; default all. */
  window?: number;
}

export interface AttentionBlockOptions extends Omit<AttentionOptions, "window"> {
  norm: NormKind;
  normEps: number;
}

/** "swiglu" and "geglu" have a gate, silu or GELU of it; "gelu" is the tanh approximation, "gelu-erf" the exact one. */
export type Activation = "swiglu" | "geglu" | "silu" | "gelu" | "gelu-erf" | "relu" | "tanh";

export interface MlpBlockWeights {
  /** As those of attention. */
  norm?: NormWeights;
  /** Only with activation "swiglu" or "geglu". */
  gate?: LinearWeights;
  up: LinearWeights;
  down: LinearWeights;
  postNorm?: NormWeights;
}

export interface MlpBlockOptions {
  norm: NormKind;
  normEps: number;
  activation: Activation;
}

export interface DecoderLayer {
  attention: AttentionBlockWeights;
  mlp: MlpBlockWeights;
  /** Rotates queries and keys; leave out for models with learned positions, and layers without any. */
  rope?: Rope;
  /** How many tokens a token of this layer sees; default all. */
  window?: number;
}

/** A decoder-only transformer up to its heads; its layers have the same sizes. */
export interface DecoderTrunk {
  embedding: tf.Tensor2D; // [V, D]
  /** Learned positions [P, D] (GPT-2). */
  positions?: tf.Tensor2D;
  layers: readonly DecoderLayer[];
  finalNorm: NormWeights;
  attentionOptions: AttentionBlockOptions;
  /** The norm is that of the attention blocks. */
  mlpOptions: MlpBlockOptions;
  /** Factor on embeddings (Gemma, Granite); default 1. */
  embeddingScale?: number;
  /** Factor on what a block adds (Granite); default 1. */
  residualScale?: number;
  /** The MLP reads what attention reads, not what it leaves (GPT-NeoX). */
  parallel?: boolean;
}

/** What a language head makes of hidden·weightᵀ. */
export interface LogitOptions {
  /** Logits are divided by it (Granite); default 1. */
  divisor?: number;
  /** c·tanh(z/c) in place of z (Gemma 2). */
  softcap?: number;
}

export interface RotaryOptions {
  numHeads: number;
  rope: Rope;
}

export interface TokenLogProbsOptions {
  /** Logits are divided by it before the softmax; default 1. */
  temperature?: number;
  /** Lets the entropy carry a gradient too (entropy bonus); default false. */
  withEntropyGradient?: boolean;
  /** c·tanh(z/c) in place of a logit z, before the temperature. */
  softcap?: number;
}

export interface TokenLogProbs {
  /** [N] log p(target); 0 where the target is negative. */
  logProbs: tf.Tensor1D;
  /** [N] entropy of the distribution in nats; 0 where the target is negative. */
  entropy: tf.Tensor1D;
}
