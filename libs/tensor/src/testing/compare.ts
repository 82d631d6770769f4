import { currentEngine } from "../engines/current.js";
import type { Operations } from "../engines/engine.js";
import { referenceOperations } from "../engines/reference/engine.js";
import { tf } from "../tf.js";
import { createTensors } from "./random.js";

export type Inputs = Record<string, tf.Tensor>;
export type Operation = (operations: Operations, inputs: Inputs) => tf.Tensor;

/** The output and every input's gradient of Σ c·f, c random, as plain arrays. */
export function evaluate(
  operations: Operations,
  operation: Operation,
  inputs: Inputs,
): Record<string, Float32Array> {
  const names = Object.keys(inputs);
  return tf.tidy(() => {
    const run = (...tensors: tf.Tensor[]) =>
      operation(
        operations,
        Object.fromEntries(names.map((name, i) => [name, tensors[i] as tf.Tensor])),
      );
    const output = run(...Object.values(inputs));
    const c = createTensors(5).normal(output.shape);
    const grads = tf.grads((...tensors) => tf.sum(tf.mul(run(...tensors), c)))(
      Object.values(inputs),
    );
    const entries = names.map((name, i) => [`d${name}`, grads[i]?.dataSync()] as const);
    return Object.fromEntries([["output", output.dataSync()], ...entries]) as Record<
      string,
      Float32Array
    >;
  });
}

/** The definitions, on plain TFJS. */
function expectedOf(operation: Operation, inputs: Inputs): Record<string, Float32Array> {
  const running = tf.getBackend();
  void tf.setBackend("cpu"); // at work when the call returns
  try {
    return evaluate(referenceOperations, operation, inputs);
  } finally {
    void tf.setBackend(running);
  }
}

/**
 * Largest |engine − reference| over the output and all gradients, relative to each array's largest
 * magnitude (1 at least), and which array it was in.
 */
export function largestDifference(
  operation: Operation,
  inputs: Inputs,
): { error: number; where: string } {
  const expected = expectedOf(operation, inputs);
  const actual = evaluate(currentEngine().ops, operation, inputs);
  let worst = { error: 0, where: "nowhere" };
  for (const [name, values] of Object.entries(expected)) {
    const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    const found = actual[name];
    values.forEach((value, i) => {
      const error = Math.abs(value - (found?.[i] ?? NaN)) / scale;
      if (!(error <= worst.error)) worst = { error, where: `${name}[${i}]` };
    });
  }
  return worst;
}
