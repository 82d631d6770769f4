import { tf } from "../tf.js";
import { createTensors } from "./random.js";

/**
 * The directional derivative of Σ c·f(x) along a random direction, by the gradient and by central
 * differences; c is random too, so that errors in single elements cannot cancel.
 */
export function finiteDifference(
  f: (x: tf.Tensor2D) => tf.Tensor,
  x: tf.Tensor2D,
  step = 1e-2,
): { analytic: number; numeric: number } {
  return tf.tidy(() => {
    const t = createTensors(11);
    const c = t.normal(f(x).shape);
    const direction = t.normal(x.shape);
    const value = (at: tf.Tensor) => tf.sum(tf.mul(f(at as tf.Tensor2D), c)) as tf.Scalar;
    const at = (scale: number) =>
      value(tf.add(x, tf.mul(direction, scale))).dataSync()[0] as number;
    const gradient = tf.grad(value)(x);
    const analytic = tf.sum(tf.mul(gradient, direction)).dataSync()[0] as number;
    // Richardson extrapolation removes the second-order term, so the step can stay large in fp32.
    const coarse = (at(2 * step) - at(-2 * step)) / (4 * step);
    const fine = (at(step) - at(-step)) / (2 * step);
    return { analytic, numeric: (4 * fine - coarse) / 3 };
  });
}
