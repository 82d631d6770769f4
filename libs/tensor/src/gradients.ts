import { StagecraftError } from "@stagecraft/core";
import { tf } from "./tf.js";

export type Params = ReadonlyMap<string, tf.Variable>;
export type Gradients = Map<string, tf.Tensor>;

/**
 * The value of `f` and its gradient with respect to every parameter that it depends on, under the
 * parameter's key. The caller disposes the value and the gradients.
 */
export function valueAndGrads(
  params: Params,
  f: () => tf.Scalar,
): { value: tf.Scalar; grads: Gradients } {
  const { value, grads: byVariable } = tf.variableGrads(f, [...params.values()]);
  const grads: Gradients = new Map();
  for (const [key, variable] of params) {
    const gradient = byVariable[variable.name];
    if (gradient) grads.set(key, gradient);
  }
  return { value, grads };
}

export interface GradientAccumulator {
  /** Adds a micro-batch's gradients and disposes them. */
  add(grads: ReadonlyMap<string, tf.Tensor>): void;
  /** The sums; the caller disposes them. The accumulator is empty afterwards. */
  take(): Gradients;
  dispose(): void;
}

export function createGradientAccumulator(): GradientAccumulator {
  let sums: Gradients = new Map();
  return {
    add(grads) {
      for (const [key, gradient] of grads) {
        const sum = sums.get(key);
        sums.set(key, sum === undefined ? gradient : addInto(key, sum, gradient));
      }
    },
    take() {
      const taken = sums;
      sums = new Map();
      return taken;
    },
    dispose() {
      tf.dispose([...sums.values()]);
      sums.clear();
    },
  };
}

function addInto(key: string, sum: tf.Tensor, gradient: tf.Tensor): tf.Tensor {
  if (!tf.util.arraysEqual(sum.shape, gradient.shape)) {
    throw new StagecraftError(
      "invalid_argument",
      `gradient of ${key} is [${gradient.shape}], the sum so far [${sum.shape}]`,
    );
  }
  const next = tf.add(sum, gradient);
  tf.dispose([sum, gradient]);
  return next;
}
