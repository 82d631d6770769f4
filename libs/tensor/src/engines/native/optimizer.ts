import type { Params } from "../../gradients.js";
import type { tf } from "../../tf.js";
import {
  areFinite,
  clipScale,
  parameterOf,
  readState,
  type Optimizer,
  type OptimizerConfig,
} from "../optimizer.js";
import type { NativeBackend } from "./backend.js";
import { mutableValues } from "./values.js";

/** One parameter with its gradient and moments, all of equal length. */
interface Slot {
  readonly param: Float32Array;
  readonly grad: Float32Array;
  /** First moment of AdamW, momentum buffer of SGD. */
  readonly first: Float32Array;
  /** Second moment of AdamW; empty for SGD. */
  readonly second: Float32Array;
  readonly decay: boolean;
}

type Moments = Pick<Slot, "first" | "second">;

/**
 * An optimizer that changes parameters and moments in place, all in one call. Moments are plain arrays
 * (8 bytes a weight for AdamW, 4 for SGD) and start at zero.
 */
export function createOptimizer(
  backend: NativeBackend,
  params: Params,
  config: OptimizerConfig,
): Optimizer {
  const moments = createMoments(params, config);
  let numSteps = 0;
  return {
    step(grads, learningRate, losses = []) {
      const slots = collectSlots(backend, params, grads, moments);
      const gradNorm = backend.addon.globalNorm({
        grads: slots.map(({ grad }) => grad),
        sizes: sizesOf(slots),
      });
      if (!Number.isFinite(gradNorm) || !areFinite(losses)) return { gradNorm };
      numSteps += 1;
      backend.addon.optimizerStep({
        ...scalarsOf(config, learningRate, numSteps),
        gradScale: clipScale(gradNorm, config.clipNorm),
        sizes: sizesOf(slots),
        decay: Int32Array.from(slots, ({ decay }) => (decay ? 1 : 0)),
        params: slots.map(({ param }) => param),
        grads: slots.map(({ grad }) => grad),
        first: slots.map(({ first }) => first),
        second: slots.map(({ second }) => second),
      });
      return { gradNorm };
    },
    state: () => copyState(moments, numSteps),
    load(state) {
      loadMoments(moments, state);
      numSteps = readState(state, "step", 1)[0]!;
    },
    dispose: () => moments.clear(),
  };
}

const sizesOf = (slots: readonly Slot[]) => Int32Array.from(slots, ({ param }) => param.length);

function scalarsOf(config: OptimizerConfig, learningRate: number, step: number) {
  const { weightDecay } = config;
  if (config.kind === "sgd") {
    const unused = { beta2: 0, eps: 0, stepSize: 0, correction: 0 };
    return { adamw: false, learningRate, weightDecay, beta1: config.momentum, ...unused };
  }
  const { beta1, beta2, eps } = config;
  const stepSize = learningRate / (1 - beta1 ** step);
  const correction = 1 / Math.sqrt(1 - beta2 ** step);
  return { adamw: true, learningRate, weightDecay, beta1, beta2, eps, stepSize, correction };
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
  backend: NativeBackend,
  params: Params,
  grads: ReadonlyMap<string, tf.Tensor>,
  moments: Map<string, Moments>,
): Slot[] {
  return Array.from(grads, ([key, gradient]) => {
    const variable = parameterOf(params, key, gradient);
    return {
      param: mutableValues(backend, variable),
      grad: backend.peek(gradient),
      decay: variable.shape.length >= 2,
      ...moments.get(key)!,
    };
  });
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
    first.set(readState(state, `m.${key}`, first.length));
    if (second.length > 0) second.set(readState(state, `v.${key}`, second.length));
  }
}
