import type { OptimizerConfig } from "./types.js";

/** One parameter with its gradient and moments, all of equal length. */
export interface Slot {
  param: Float32Array;
  grad: Float32Array;
  /** First moment of AdamW, momentum buffer of SGD. */
  first: Float32Array;
  /** Second moment of AdamW; empty for SGD. */
  second: Float32Array;
  decay: boolean;
}

export interface StepScalars {
  learningRate: number;
  /** 1-based number of this step. */
  step: number;
  /** Factor on the gradients from clipping. */
  gradScale: number;
}

/** √Σ g² over all gradients, summed in float64. */
export function globalNorm(grads: readonly Float32Array[]): number {
  let sum = 0;
  for (const grad of grads) for (const value of grad) sum += value * value;
  return Math.sqrt(sum);
}

/** 1, or clipNorm / norm when the norm is above clipNorm. */
export function clipScale(norm: number, clipNorm: number | undefined): number {
  return clipNorm === undefined || norm <= clipNorm ? 1 : clipNorm / norm;
}

/** The reference update of one parameter, in place on plain arrays. */
export function updateSlot(config: OptimizerConfig, slot: Slot, scalars: StepScalars): void {
  if (config.kind === "adamw") {
    const weightDecay = slot.decay ? config.weightDecay : 0;
    updateAdamW({ ...config, weightDecay }, slot, scalars);
  } else {
    const weightDecay = slot.decay ? config.weightDecay : 0;
    updateSgd({ ...config, weightDecay }, slot, scalars);
  }
}

function updateAdamW(
  {
    beta1,
    beta2,
    eps,
    weightDecay,
  }: { beta1: number; beta2: number; eps: number; weightDecay: number },
  { param, grad, first, second }: Slot,
  { learningRate, step, gradScale }: StepScalars,
): void {
  const stepSize = learningRate / (1 - beta1 ** step);
  const correction = 1 / Math.sqrt(1 - beta2 ** step);
  const keep = 1 - learningRate * weightDecay;
  for (let i = 0; i < param.length; i++) {
    const g = (grad[i] as number) * gradScale;
    const m = beta1 * (first[i] as number) + (1 - beta1) * g;
    const v = beta2 * (second[i] as number) + (1 - beta2) * g * g;
    first[i] = m;
    second[i] = v;
    const step = (stepSize * m) / (Math.sqrt(v) * correction + eps);
    param[i] = (param[i] as number) * keep - step;
  }
}

function updateSgd(
  { momentum, weightDecay }: { momentum: number; weightDecay: number },
  { param, grad, first }: Slot,
  { learningRate, gradScale }: StepScalars,
): void {
  for (let i = 0; i < param.length; i++) {
    const g = (grad[i] as number) * gradScale + weightDecay * (param[i] as number);
    const b = momentum * (first[i] as number) + g;
    first[i] = b;
    param[i] = (param[i] as number) - learningRate * b;
  }
}
