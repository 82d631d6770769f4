import { StagecraftError } from "@stagecraft/core";
import { currentEngine } from "./engines/current.js";
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

/** Devices that the parts of a batch may be computed on at once. */
export function numDevices(): number {
  return currentEngine().info.numDevices ?? 1;
}

/**
 * `valueAndGrads` of the sum of `parts`, each on a device of its own, at most `numDevices` of them. Throws
 * `unimplemented` when they are not of equal shapes.
 */
export function summedValueAndGrads(
  params: Params,
  parts: readonly (() => tf.Scalar)[],
): { value: tf.Scalar; grads: Gradients } {
  if (parts.length === 1) return valueAndGrads(params, parts[0]!);
  const engine = currentEngine();
  if (!engine.sumAcrossDevices || parts.length > numDevices()) {
    const what = `${parts.length} parts of a batch for ${numDevices()} device(s)`;
    throw new StagecraftError("failed_precondition", what);
  }
  let keys: string[] = [];
  const sums = engine.sumAcrossDevices(
    parts.map((part) => () => {
      const { value, grads } = valueAndGrads(params, part);
      keys = [...grads.keys()];
      return [value, ...grads.values()];
    }),
  );
  const [value, ...grads] = sums as [tf.Scalar, ...tf.Tensor[]];
  return { value, grads: new Map(grads.map((gradient, i) => [keys[i]!, gradient])) };
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
