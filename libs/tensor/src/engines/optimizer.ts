import { StagecraftError } from "@stagecraft/core";
import type { Params } from "../gradients.js";
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
   * keeps and disposes `grads` and `losses`. `gradNorm` is the global norm before clipping; when it or
   * one of the losses is not finite nothing is changed, so that one bad batch cannot poison the weights.
   */
  step(
    grads: ReadonlyMap<string, tf.Tensor>,
    learningRate: number,
    losses?: readonly tf.Tensor[],
  ): { gradNorm: number };
  /** A copy of everything needed to go on: "step" [1] and the moments as "m.<key>", "v.<key>". */
  state(): Map<string, Float32Array>;
  /** Restores `state()`; throws `invalid_argument` naming a missing entry or a wrong length. */
  load(state: ReadonlyMap<string, Float32Array>): void;
  dispose(): void;
}

/** Whether every one of these scalars is a finite number. */
export function areFinite(losses: readonly tf.Tensor[]): boolean {
  return losses.every((loss) => Number.isFinite(loss.dataSync()[0]));
}

/** 1, or clipNorm / norm when the norm is above clipNorm: the factor on all gradients. */
export function clipScale(norm: number, clipNorm: number | undefined): number {
  return clipNorm === undefined || norm <= clipNorm ? 1 : clipNorm / norm;
}

/** The parameter of a gradient; throws `not_found` or `invalid_argument` when it has none of that shape. */
export function parameterOf(params: Params, key: string, gradient: tf.Tensor): tf.Variable {
  const variable = params.get(key);
  if (variable === undefined) {
    throw new StagecraftError("not_found", `gradient for "${key}", which is no parameter here`);
  }
  if (variable.shape.join() === gradient.shape.join()) return variable;
  const shapes = `gradient of ${key} is [${gradient.shape}], the parameter [${variable.shape}]`;
  throw new StagecraftError("invalid_argument", shapes);
}

/** An entry of `Optimizer.state()`; throws `invalid_argument` when it is missing or has another length. */
export function readState(
  state: ReadonlyMap<string, Float32Array>,
  name: string,
  length: number,
): Float32Array {
  const values = state.get(name);
  if (values?.length === length) return values;
  const found = values === undefined ? "missing" : `${values.length} values`;
  throw new StagecraftError(
    "invalid_argument",
    `optimizer state "${name}" is ${found}, expected ${length} values`,
  );
}
