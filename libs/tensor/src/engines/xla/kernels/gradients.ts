import { tf } from "../../../tf.js";
import { axesOf, type Axes } from "./reduce.js";

/**
 * TFJS multiplies what comes back to a sum by a tensor of ones, which a recording cannot tell from data. On this
 * backend it is repeated instead; on others the gradient stays what it was.
 */
export function registerGradients(backendName: string): void {
  for (const kernelName of ["Sum", "Mean"]) {
    const plain = tf.getGradient(kernelName);
    tf.registerGradient({
      ...plain,
      gradFunc: (dy, saved, attrs) =>
        tf.getBackend() === backendName
          ? { x: () => repeated(kernelName, dy as tf.Tensor, saved[0]!, attrs) }
          : plain.gradFunc(dy, saved, attrs),
    });
  }
}

function repeated(
  kernelName: string,
  dy: tf.Tensor,
  { shape }: tf.Tensor,
  attrs: tf.NamedAttrMap,
): tf.Tensor {
  const axes = axesOf(attrs["axis"] as Axes, shape.length);
  const kept = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const whole = tf.broadcastTo(tf.reshape(dy, kept), shape);
  if (kernelName === "Sum") return whole;
  return tf.div(
    whole,
    axes.reduce((count, axis) => count * shape[axis]!, 1),
  );
}
