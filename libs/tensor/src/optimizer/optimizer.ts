import { StagecraftError } from "@stagecraft/core";
import { tf } from "../tf.js";
import type { Params } from "../gradients.js";
import { commitValues, mutableValues, readValues } from "../values.js";
import type { Optimizer, OptimizerConfig } from "./types.js";
import { nativeBackend } from "../native/current.js";
import { nativeGlobalNorm, nativeUpdate } from "./native-update.js";
import { clipScale, globalNorm, updateSlot, type Slot, type StepScalars } from "./update.js";

/**
 * An optimizer over `params`, which stay the caller's. Moments live in plain arrays beside them
 * (8 bytes a weight for AdamW, 4 for SGD) and start at zero.
 */
export function createOptimizer(params: Params, config: OptimizerConfig): Optimizer {
  const moments = createMoments(params, config);
  let numSteps = 0;
  return {
    step(grads, learningRate) {
      const slots = collectSlots(params, grads, moments);
      const gradNorm = normOf(slots.map((slot) => slot.grad));
      if (!Number.isFinite(gradNorm)) return { gradNorm };
      numSteps += 1;
      const gradScale = clipScale(gradNorm, config.clipNorm);
      update(config, slots, { learningRate, step: numSteps, gradScale });
      for (const { variable, param } of slots) commitValues(variable, param);
      return { gradNorm };
    },
    state: () => copyState(moments, numSteps),
    load(state) {
      loadMoments(moments, state);
      numSteps = take(state, "step", 1)[0] as number;
    },
    dispose: () => moments.clear(),
  };
}

function normOf(grads: readonly Float32Array[]): number {
  const addon = nativeBackend()?.addon;
  return addon === undefined ? globalNorm(grads) : nativeGlobalNorm(addon, grads);
}

function update(config: OptimizerConfig, slots: readonly Slot[], scalars: StepScalars): void {
  const addon = nativeBackend()?.addon;
  if (addon !== undefined) return nativeUpdate(addon, config, slots, scalars);
  for (const slot of slots) updateSlot(config, slot, scalars);
}

interface Moments {
  first: Float32Array;
  second: Float32Array;
}

function createMoments(params: Params, { kind }: OptimizerConfig): Map<string, Moments> {
  const moments = new Map<string, Moments>();
  for (const [key, { size }] of params) {
    const second = new Float32Array(kind === "adamw" ? size : 0);
    moments.set(key, { first: new Float32Array(size), second });
  }
  return moments;
}

function collectSlots(
  params: Params,
  grads: ReadonlyMap<string, tf.Tensor>,
  moments: Map<string, Moments>,
): (Slot & { variable: tf.Variable })[] {
  const slots = [];
  for (const [key, gradient] of grads) {
    const variable = params.get(key);
    const moment = moments.get(key);
    if (variable === undefined || moment === undefined) throw unknownKey(key);
    if (!tf.util.arraysEqual(variable.shape, gradient.shape)) {
      const shapes = `gradient of ${key} is [${gradient.shape}], the parameter [${variable.shape}]`;
      throw new StagecraftError("invalid_argument", shapes);
    }
    const [param, grad] = [mutableValues(variable), readValues(gradient)];
    slots.push({ variable, param, grad, ...moment, decay: variable.shape.length >= 2 });
  }
  return slots;
}

function unknownKey(key: string): StagecraftError {
  return new StagecraftError("not_found", `gradient for "${key}", which is no parameter here`);
}

function copyState(moments: Map<string, Moments>, numSteps: number): Map<string, Float32Array> {
  const state = new Map([["step", Float32Array.of(numSteps)]]);
  for (const [key, { first, second }] of moments) {
    state.set(`m.${key}`, first.slice());
    if (second.length > 0) state.set(`v.${key}`, second.slice());
  }
  return state;
}

function loadMoments(
  moments: Map<string, Moments>,
  state: ReadonlyMap<string, Float32Array>,
): void {
  for (const [key, { first, second }] of moments) {
    first.set(take(state, `m.${key}`, first.length));
    if (second.length > 0) second.set(take(state, `v.${key}`, second.length));
  }
}

function take(state: ReadonlyMap<string, Float32Array>, name: string, length: number) {
  const values = state.get(name);
  if (values?.length === length) return values;
  const found = values === undefined ? "missing" : `${values.length} values`;
  throw new StagecraftError(
    "invalid_argument",
    `optimizer state "${name}" is ${found}, expected ${length} values`,
  );
}
