import { StagecraftError } from "@stagecraft/core";
import { currentEngine } from "./engines/current.js";
import { valueAndGrads, type Gradients, type Params } from "./gradients.js";
import type { tf } from "./tf.js";

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
