import type { OptimizerConfig } from "../engines/optimizer.js";
import { createOptimizer } from "../ops/optimizer.js";
import { tf } from "../tf.js";
import { createTensors } from "./random.js";

/** One parameter with its moments, in double precision. */
interface Slot {
  readonly param: Float64Array;
  /** First moment of AdamW, momentum buffer of SGD. */
  readonly first: Float64Array;
  /** Second moment of AdamW. */
  readonly second: Float64Array;
  readonly weightDecay: number;
}

interface StepScalars {
  readonly learningRate: number;
  /** 1-based number of this step. */
  readonly step: number;
  readonly gradScale: number;
}

/** The formulas of AdamW and SGD as loops over plain numbers, in place. */
function updateSlot(
  config: OptimizerConfig,
  { param, first, second, weightDecay }: Slot,
  grad: ArrayLike<number>,
  { learningRate, step, gradScale }: StepScalars,
): void {
  for (let i = 0; i < param.length; i++) {
    if (config.kind === "adamw") {
      const { beta1, beta2, eps } = config;
      const g = grad[i]! * gradScale;
      first[i] = beta1 * first[i]! + (1 - beta1) * g;
      second[i] = beta2 * second[i]! + (1 - beta2) * g * g;
      const mean = first[i]! / (1 - beta1 ** step);
      const deviation = Math.sqrt(second[i]! / (1 - beta2 ** step));
      param[i]! *= 1 - learningRate * weightDecay;
      param[i]! -= (learningRate * mean) / (deviation + eps);
    } else {
      const g = grad[i]! * gradScale + weightDecay * param[i]!;
      first[i] = config.momentum * first[i]! + g;
      param[i]! -= learningRate * first[i]!;
    }
  }
}

const LEARNING_RATE = 0.01;

/** Largest differences of the running engine's optimizer from the formulas over five steps. */
export function optimizerDifference(config: OptimizerConfig): { norm: number; param: number } {
  const t = createTensors(8);
  const shapes = { a: [37, 21], b: [5], c: [200, 100] };
  const params = new Map(
    Object.entries(shapes).map(([key, shape]) => [key, tf.variable(t.normal(shape))]),
  );
  const slots = new Map(
    [...params].map(([key, variable]) => [key, slotOf(variable, config.weightDecay)] as const),
  );
  const optimizer = createOptimizer(params, config);
  const worst = { norm: 0, param: 0 };
  for (let step = 1; step <= 5; step++) {
    const grads = new Map([...params].map(([key, { shape }]) => [key, t.normal(shape)]));
    const { gradNorm } = optimizer.step(grads, LEARNING_RATE);
    const values = [...grads.values()].flatMap((grad) => [...grad.dataSync()]);
    const norm = Math.sqrt(values.reduce((sum, g) => sum + g * g, 0));
    worst.norm = Math.max(worst.norm, Math.abs(gradNorm - norm));
    const gradScale = config.clipNorm === undefined ? 1 : Math.min(1, config.clipNorm / norm);
    for (const [key, slot] of slots) {
      updateSlot(config, slot, grads.get(key)!.dataSync(), {
        learningRate: LEARNING_RATE,
        step,
        gradScale,
      });
    }
  }
  for (const [key, { param }] of slots) {
    const actual = params.get(key)!.dataSync();
    param.forEach((value, i) => {
      worst.param = Math.max(worst.param, Math.abs(value - actual[i]!));
    });
  }
  optimizer.dispose();
  return worst;
}

function slotOf(variable: tf.Variable, weightDecay: number): Slot {
  return {
    param: Float64Array.from(variable.dataSync()),
    first: new Float64Array(variable.size),
    second: new Float64Array(variable.size),
    weightDecay: variable.rank > 1 ? weightDecay : 0,
  };
}
