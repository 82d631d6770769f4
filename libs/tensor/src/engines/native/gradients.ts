import type { tf } from "../../tf.js";
import type { NativeBackend } from "./backend.js";
import type { FusedInputs } from "./fused.js";

/** One output tensor per present input: `tensors` by its name, `values` by "d" + name. */
export function createGradients(backend: NativeBackend, inputs: FusedInputs) {
  const tensors: Record<string, tf.Tensor> = {};
  const values: Record<string, Float32Array> = {};
  for (const [name, input] of Object.entries(inputs)) {
    if (input === undefined) continue;
    const output = backend.output(input.shape);
    tensors[name] = output.tensor;
    values[`d${name}`] = output.values;
  }
  return { tensors, values };
}
