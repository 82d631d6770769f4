import type { Params } from "../../gradients.js";
import { tf } from "../../tf.js";
import {
  areFinite,
  clipScale,
  parameterOf,
  readState,
  type AdamWConfig,
  type Optimizer,
  type OptimizerConfig,
  type SgdConfig,
} from "../optimizer.js";

/** One parameter's tensors, which a step replaces. */
interface Slot {
  readonly param: tf.Tensor;
  /** First and second moment of AdamW; the momentum buffer of SGD. */
  readonly moments: readonly tf.Tensor[];
}

interface StepScalars {
  readonly learningRate: number;
  /** 1-based number of this step. */
  readonly step: number;
  readonly gradScale: number;
  readonly weightDecay: number;
}

/** An optimizer by TFJS operations: moments stay on their device, only the norm is read by the host. */
export function createOptimizer(params: Params, config: OptimizerConfig): Optimizer {
  const names = config.kind === "adamw" ? ["m", "v"] : ["m"];
  const moments = new Map<string, tf.Tensor[]>();
  for (const [key, { shape }] of params) {
    moments.set(
      key,
      names.map(() => tf.keep(tf.zeros(shape))),
    );
  }
  const replace = (key: string, next: readonly tf.Tensor[]) => {
    tf.dispose(moments.get(key)!);
    moments.set(key, next.map(tf.keep));
  };
  let numSteps = 0;

  function update(key: string, gradient: tf.Tensor, scalars: Omit<StepScalars, "weightDecay">) {
    const variable = params.get(key)!;
    const weightDecay = variable.rank >= 2 ? config.weightDecay : 0;
    tf.tidy(() => {
      const slot = { param: variable, moments: moments.get(key)! };
      const next = stepped(config, slot, gradient, { ...scalars, weightDecay });
      variable.assign(next.param);
      replace(key, next.moments);
    });
  }

  return {
    step(grads, learningRate, losses = []) {
      for (const [key, gradient] of grads) parameterOf(params, key, gradient);
      const gradNorm = globalNorm([...grads.values()]);
      if (!Number.isFinite(gradNorm) || !areFinite(losses)) return { gradNorm };
      numSteps += 1;
      const gradScale = clipScale(gradNorm, config.clipNorm);
      for (const [key, gradient] of grads) {
        update(key, gradient, { learningRate, step: numSteps, gradScale });
      }
      return { gradNorm };
    },
    state() {
      const state = new Map([["step", Float32Array.of(numSteps)]]);
      for (const [key, tensors] of moments) {
        tensors.forEach((tensor, i) => {
          state.set(`${names[i]}.${key}`, tensor.dataSync<"float32">().slice());
        });
      }
      return state;
    },
    load(state) {
      for (const [key, { shape, size }] of params) {
        const values = names.map((name) => readState(state, `${name}.${key}`, size));
        replace(
          key,
          values.map((array) => tf.tensor(array.slice(), shape)),
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
function globalNorm(grads: readonly tf.Tensor[]): number {
  if (grads.length === 0) return 0;
  const sum = tf.tidy(() => tf.sum(tf.stack(grads.map((grad) => tf.sum(tf.square(grad))))));
  const norm = Math.sqrt(sum.dataSync()[0]!);
  sum.dispose();
  return norm;
}

function stepped(
  config: OptimizerConfig,
  slot: Slot,
  gradient: tf.Tensor,
  scalars: StepScalars,
): Slot {
  return config.kind === "adamw"
    ? adamWStep(config, slot, gradient, scalars)
    : sgdStep(config, slot, gradient, scalars);
}

function adamWStep(
  { beta1, beta2, eps }: AdamWConfig,
  { param, moments }: Slot,
  gradient: tf.Tensor,
  { learningRate, step, gradScale, weightDecay }: StepScalars,
): Slot {
  const [m, v] = moments as [tf.Tensor, tf.Tensor];
  const g = tf.mul(gradient, gradScale);
  const first = tf.add(tf.mul(m, beta1), tf.mul(g, 1 - beta1));
  const second = tf.add(tf.mul(v, beta2), tf.mul(tf.square(g), 1 - beta2));
  const correction = 1 / Math.sqrt(1 - beta2 ** step);
  const deviation = tf.add(tf.mul(tf.sqrt(second), correction), eps);
  const change = tf.mul(tf.div(first, deviation), learningRate / (1 - beta1 ** step));
  const kept = weightDecay === 0 ? param : tf.mul(param, 1 - learningRate * weightDecay);
  return { param: tf.sub(kept, change), moments: [first, second] };
}

function sgdStep(
  { momentum }: SgdConfig,
  { param, moments: [buffer] }: Slot,
  gradient: tf.Tensor,
  { learningRate, gradScale, weightDecay }: StepScalars,
): Slot {
  const g = tf.add(tf.mul(gradient, gradScale), tf.mul(param, weightDecay));
  const next = tf.add(tf.mul(buffer!, momentum), g);
  return { param: tf.sub(param, tf.mul(next, learningRate)), moments: [next] };
}
