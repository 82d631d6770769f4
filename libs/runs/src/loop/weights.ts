import { f32, type TensorEntry, type TensorMap } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import { tf, type Optimizer } from "@stagecraft/tensor";

/** Copies variables to the host, names prefixed. */
export function variablesToTensors(
  params: ReadonlyMap<string, tf.Variable>,
  prefix = "",
): Map<string, TensorEntry> {
  const tensors = new Map<string, TensorEntry>();
  for (const [name, variable] of params) {
    tensors.set(prefix + name, f32(variable.shape, Float32Array.from(variable.dataSync())));
  }
  return tensors;
}

/** Puts checkpointed values back; throws data_loss when one is missing or has another shape. */
export function loadVariables(
  params: ReadonlyMap<string, tf.Variable>,
  tensors: TensorMap,
  prefix = "",
): void {
  for (const [name, variable] of params) {
    const entry = tensors.get(prefix + name);
    if (!entry || String(entry.shape) !== String(variable.shape)) {
      throw new StagecraftError(
        "data_loss",
        `the checkpoint's ${prefix + name} has shape [${entry ? String(entry.shape) : "missing"}], the model's is [${String(variable.shape)}]`,
      );
    }
    const value = tf.tensor(Float32Array.from(entry.data as Float32Array), variable.shape);
    variable.assign(value);
    value.dispose();
  }
}

/** The optimizer's state as checkpoint tensors (all one-dimensional), names prefixed. */
export function optimizerToTensors(optimizer: Optimizer, prefix: string): Map<string, TensorEntry> {
  const tensors = new Map<string, TensorEntry>();
  for (const [name, data] of optimizer.state()) {
    tensors.set(prefix + name, f32([data.length], Float32Array.from(data)));
  }
  return tensors;
}

/** Puts an optimizer's state back. */
export function loadOptimizer(optimizer: Optimizer, tensors: TensorMap, prefix: string): void {
  const state = new Map<string, Float32Array>();
  for (const [name, entry] of tensors) {
    if (!name.startsWith(prefix)) continue;
    state.set(name.slice(prefix.length), Float32Array.from(entry.data as Float32Array));
  }
  optimizer.load(state);
}
