import { tf } from "../../tf.js";
import type { NativeBackend } from "./backend.js";

/** Arrays which nobody but one variable holds. */
const owned = new WeakSet<Float32Array>();

/**
 * A variable's memory, to be changed in place. A variable made from a caller's array shares it (with
 * other models, too), so the first call gives the variable memory of its own.
 */
export function mutableValues(backend: NativeBackend, variable: tf.Variable): Float32Array {
  const values = backend.peek(variable);
  if (owned.has(values)) return values;
  const copy = values.slice();
  owned.add(copy);
  const next = tf.tensor(copy, variable.shape);
  variable.assign(next);
  next.dispose();
  return copy;
}

/** Says that nobody else holds the variable's memory, so that it can be changed in place. */
export function ownValues(backend: NativeBackend, variable: tf.Variable): void {
  owned.add(backend.peek(variable));
}
