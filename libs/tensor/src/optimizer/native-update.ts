import type { NativeAddon } from "@stagecraft/tensor-native";
import type { OptimizerConfig } from "./types.js";
import type { Slot, StepScalars } from "./update.js";

const sizesOf = (arrays: readonly Float32Array[]) =>
  Int32Array.from(arrays, (array) => array.length);

/** √Σ g² over all gradients, by the native kernel. */
export function nativeGlobalNorm(addon: NativeAddon, grads: readonly Float32Array[]): number {
  return addon.globalNorm({ grads, sizes: sizesOf(grads) });
}

/** All parameters in one call, in place; the same formulas as `updateSlot`, in float32. */
export function nativeUpdate(
  addon: NativeAddon,
  config: OptimizerConfig,
  slots: readonly Slot[],
  { learningRate, step, gradScale }: StepScalars,
): void {
  const adamw = config.kind === "adamw";
  addon.optimizerStep({
    adamw,
    learningRate,
    gradScale,
    beta1: adamw ? config.beta1 : config.momentum,
    beta2: adamw ? config.beta2 : 0,
    eps: adamw ? config.eps : 0,
    weightDecay: config.weightDecay,
    stepSize: adamw ? learningRate / (1 - config.beta1 ** step) : 0,
    correction: adamw ? 1 / Math.sqrt(1 - config.beta2 ** step) : 0,
    sizes: sizesOf(slots.map(({ param }) => param)),
    decay: Int32Array.from(slots, ({ decay }) => (decay ? 1 : 0)),
    params: slots.map(({ param }) => param),
    grads: slots.map(({ grad }) => grad),
    first: slots.map(({ first }) => first),
    second: slots.map(({ second }) => second),
  });
}
