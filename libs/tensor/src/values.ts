import { nativeBackend } from "./native/current.js";
import { tf } from "./tf.js";

/**
 * The values of a float32 tensor. On the cpu and native engines this is the tensor's own memory:
 * read it before the tensor is disposed, and never keep it.
 */
export function readValues(tensor: tf.Tensor): Float32Array {
  return nativeBackend()?.peek(tensor) ?? tensor.dataSync<"float32">();
}

/** Arrays which nobody but one variable holds. */
const owned = new WeakSet<Float32Array>();

/**
 * Values of a variable that may be changed in place. A variable made from a caller's array shares
 * it (with other models, too), so the first call gives the variable memory of its own. Follow the
 * change with `commitValues`.
 */
export function mutableValues(variable: tf.Variable): Float32Array {
  const values = readValues(variable);
  if (owned.has(values) || readValues(variable) !== values) return values;
  const copy = values.slice();
  owned.add(copy);
  assign(variable, copy);
  return copy;
}

/** Says that nobody else holds the variable's memory, so that it can be changed in place. */
export function ownValues(variable: tf.Variable): void {
  if (nativeBackend()) owned.add(readValues(variable));
}

/** Puts changed `values` into the variable; nothing to do where they are its memory. */
export function commitValues(variable: tf.Variable, values: Float32Array): void {
  if (!owned.has(values)) assign(variable, values);
}

function assign(variable: tf.Variable, values: Float32Array): void {
  const next = tf.tensor(values, variable.shape);
  variable.assign(next);
  next.dispose();
}
