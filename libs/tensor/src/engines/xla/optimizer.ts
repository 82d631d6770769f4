import type { Params } from "../../gradients.js";
import { tf } from "../../tf.js";
import {
  parameterOf,
  readState,
  type AdamWConfig,
  type Optimizer,
  type OptimizerConfig,
  type SgdConfig,
} from "../optimizer.js";
import type { XlaBackend } from "./backend.js";
import { binary, compare, reduce, select, unary } from "./hlo.js";
import { splat, type Value } from "./value.js";

const add = (a: Value, b: Value) => binary("add", a, b);
const multiply = (a: Value, b: Value) => binary("multiply", a, b);
const constant = (value: number) => splat([], "f32", value);

/** Scalars of a step, inputs of its program, and what all parameters share. */
interface StepScalars {
  readonly learningRate: Value;
  /** Factor on all gradients, from clipping. */
  readonly gradScale: Value;
  /** 1/√(1 − β₂ᵗ) and lr/(1 − β₁ᵗ) of AdamW. */
  readonly deviationScale: Value;
  readonly rate: Value;
}

interface Slot {
  readonly param: Value;
  readonly moments: readonly Value[];
}

/**
 * The update as a part of the step's program: norm, clipping and the choice to leave all as it is when norm
 * or loss is not finite. What was there before gives its memory to what replaces it.
 */
export function createOptimizer(
  backend: XlaBackend,
  params: Params,
  config: OptimizerConfig,
): Optimizer {
  const names = config.kind === "adamw" ? ["m", "v"] : ["m"];
  const moments = new Map<string, tf.Tensor[]>();
  const replace = (key: string, tensors: readonly tf.Tensor[]) => {
    tf.dispose(moments.get(key) ?? []);
    moments.set(key, tensors.map(tf.keep));
  };
  const settled = (tensor: tf.Tensor) => {
    backend.settle(tensor);
    return tensor;
  };
  for (const [key, { shape }] of params) {
    replace(
      key,
      names.map(() => settled(tf.zeros(shape))),
    );
  }
  let numSteps = 0;

  function update(key: string, gradient: Value, scalars: StepScalars, isGood: Value) {
    const variable = params.get(key)!;
    const before = [variable as tf.Tensor, ...moments.get(key)!].map((x) => backend.value(x));
    const [param, ...held] = before as [Value, ...Value[]];
    const weightDecay = variable.rank >= 2 ? config.weightDecay : 0;
    const slot = { param, moments: held };
    const after = stepped(config, slot, gradient, { ...scalars, weightDecay });
    const [next, ...nextMoments] = [after.param, ...after.moments].map((value, i) => {
      const chosen = select(isGood, value, before[i]!);
      chosen.replaces = before[i]!;
      return backend.tensor(chosen);
    });
    variable.assign(next!);
    replace(key, nextMoments);
  }

  return {
    step(grads, learningRate, losses = []) {
      for (const [key, gradient] of grads) backend.settle(parameterOf(params, key, gradient));
      const gradients = [...grads.values()].map((grad) => backend.value(grad));
      const norm = tf.tidy(() => {
        const gradNorm = globalNorm(gradients);
        const isGood = [gradNorm, ...losses.map((loss) => backend.value(loss))]
          .map((value) => unary("is_finite", value, "i1"))
          .reduce((a, b) => binary("and", a, b));
        const scalars = scalarsOf(config, { backend, gradNorm, learningRate, step: numSteps + 1 });
        for (const [key, grad] of grads) update(key, backend.value(grad), scalars, isGood);
        return backend.tensor(gradNorm);
      });
      backend.flush(gradients);
      const gradNorm = norm.dataSync()[0]!;
      norm.dispose();
      const isGood = [gradNorm, ...losses.map((loss) => loss.dataSync()[0]!)].every(
        Number.isFinite,
      );
      if (isGood) numSteps += 1;
      return { gradNorm };
    },
    state() {
      const state = new Map([["step", Float32Array.of(numSteps)]]);
      for (const [key, tensors] of moments) {
        tensors.forEach((tensor, i) => {
          state.set(`${names[i]}.${key}`, Float32Array.from(tensor.dataSync()));
        });
      }
      return state;
    },
    load(state) {
      for (const [key, { shape, size }] of params) {
        const values = names.map((name) => readState(state, `${name}.${key}`, size));
        replace(
          key,
          values.map((array) => settled(tf.tensor(array.slice(), shape))),
        );
      }
      numSteps = readState(state, "step", 1)[0]!;
    },
    dispose() {
      tf.dispose([...moments.values()].flat());
      moments.clear();
    },
  };
}

/** √Σ g² over all gradients. */
function globalNorm(grads: readonly Value[]): Value {
  const squares = grads.map((grad) => {
    return reduce(
      "add",
      multiply(grad, grad),
      grad.shape.map((_, axis) => axis),
    );
  });
  return unary("sqrt", squares.reduce(add, constant(0)));
}

interface ScalarSource {
  backend: XlaBackend;
  gradNorm: Value;
  learningRate: number;
  /** 1-based number of this step. */
  step: number;
}

function scalarsOf(config: OptimizerConfig, source: ScalarSource): StepScalars {
  const { backend, gradNorm, learningRate, step } = source;
  const input = (value: number) => backend.input(Float32Array.of(value), []);
  const { clipNorm } = config;
  const gradScale =
    clipNorm === undefined
      ? constant(1)
      : select(
          compare("GT", gradNorm, constant(clipNorm)),
          binary("divide", constant(clipNorm), gradNorm),
          constant(1),
        );
  const { beta1, beta2 } = config.kind === "adamw" ? config : { beta1: 0, beta2: 0 };
  return {
    learningRate: input(learningRate),
    gradScale,
    deviationScale: input(1 / Math.sqrt(1 - beta2 ** step)),
    rate: input(learningRate / (1 - beta1 ** step)),
  };
}

type SlotScalars = StepScalars & { readonly weightDecay: number };

function stepped(config: OptimizerConfig, slot: Slot, gradient: Value, scalars: SlotScalars): Slot {
  return config.kind === "adamw"
    ? adamWStep(config, slot, gradient, scalars)
    : sgdStep(config, slot, gradient, scalars);
}

function adamWStep(
  { beta1, beta2, eps }: AdamWConfig,
  { param, moments }: Slot,
  gradient: Value,
  { learningRate, gradScale, deviationScale, rate, weightDecay }: SlotScalars,
): Slot {
  const [m, v] = moments as [Value, Value];
  const g = multiply(gradient, gradScale);
  const first = add(multiply(m, constant(beta1)), multiply(g, constant(1 - beta1)));
  const second = add(multiply(v, constant(beta2)), multiply(multiply(g, g), constant(1 - beta2)));
  const deviation = add(multiply(unary("sqrt", second), deviationScale), constant(eps));
  const change = multiply(binary("divide", first, deviation), rate);
  const decay = binary("subtract", constant(1), multiply(learningRate, constant(weightDecay)));
  const kept = weightDecay === 0 ? param : multiply(param, decay);
  return { param: binary("subtract", kept, change), moments: [first, second] };
}

function sgdStep(
  { momentum }: SgdConfig,
  { param, moments: [buffer] }: Slot,
  gradient: Value,
  { learningRate, gradScale, weightDecay }: SlotScalars,
): Slot {
  const g = add(multiply(gradient, gradScale), multiply(param, constant(weightDecay)));
  const next = add(multiply(buffer!, constant(momentum)), g);
  return { param: binary("subtract", param, multiply(next, learningRate)), moments: [next] };
}
