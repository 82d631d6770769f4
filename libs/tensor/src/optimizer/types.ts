import type { tf } from "../tf.js";

/** AdamW (Loshchilov & Hutter 2019) as PyTorch has it: eps is added to the corrected √v̂. */
export interface AdamWConfig {
  kind: "adamw";
  beta1: number;
  beta2: number;
  eps: number;
  /** Decoupled decay, on tensors with at least two dimensions only. */
  weightDecay: number;
  /** Gradients are scaled so that their global norm is at most this; absent = no clipping. */
  clipNorm?: number;
}

/** Momentum as PyTorch has it: b = momentum·b + g, p −= lr·b; decay is added to g. */
export interface SgdConfig {
  kind: "sgd";
  momentum: number;
  weightDecay: number;
  clipNorm?: number;
}

export type OptimizerConfig = AdamWConfig | SgdConfig;

export interface Optimizer {
  /**
   * Updates the parameters in place; parameters without a gradient stay as they are. The caller
   * keeps and disposes `grads`. `gradNorm` is the global norm before clipping; when it is not
   * finite nothing is changed, so that one bad batch cannot poison the weights.
   */
  step(grads: ReadonlyMap<string, tf.Tensor>, learningRate: number): { gradNorm: number };
  /** A copy of everything needed to go on: "step" [1] and the moments as "m.<key>", "v.<key>". */
  state(): Map<string, Float32Array>;
  /** Restores `state()`; throws `invalid_argument` naming a missing entry or a wrong length. */
  load(state: ReadonlyMap<string, Float32Array>): void;
  dispose(): void;
}
