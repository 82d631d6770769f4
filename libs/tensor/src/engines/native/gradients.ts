import type { tf } from "../../tf.js";
import type { NativeBackend } from "./backend.js";
import { isFrozen, type FusedInputs } from "./fused.js";

/**
 * One output tensor per present input: `tensors` by its name, `values` by "d" + name. Of those named in
 * `optional` the frozen ones have none: their kernels leave out the work.
 */
export function createGradients(
  backend: NativeBackend,
  inputs: FusedInputs,
  optional: readonly string[] = [],
) {
  const tensors: Record<string, tf.Tensor> = {};
  const values: Record<string, Float32Array> = {};
  for (const [name, input] of Object.entries(inputs)) {
    if (input === undefined || (optional.includes(name) && isFrozen(input))) continue;
    const output = backend.output(input.shape);
    tensors[name] = output.tensor;
    values[`d${name}`] = output.values;
  }
  return { tensors, values };
}
