import { causalAttention, tf } from "@stagecraft/tensor";
import { LeftOut } from "./run-parts.mjs";

/** How far gradients may be apart, of their own size: both sides round to bf16. */
const TOLERANCE = 0.03;

/**
 * The gradients of attention by cuDNN against those of the definition, and the time of each.
 * @param {{ by: string, sizes: { batch: number, length: number, heads: number, headSize: number } }} about
 */
export function attention({ by, sizes }) {
  if (by !== "cudnn")
    throw new LeftOut("--attention cudnn asks for it, on CUDA with --products bf16");
  const { batch, length, heads, headSize } = sizes;
  const shape = [batch * length, heads * headSize];
  const inputs = [1, 2, 3].map((seed) => tf.randomNormal(shape, 0, 1, "float32", seed));
  const counts = { numHeads: heads, numKvHeads: heads };
  // a window as wide as the rows changes nothing, and is computed by the definition
  const [cudnn, plain] = [counts, { ...counts, window: length }].map((options) =>
    measure(inputs, { batchSize: batch, length }, options),
  );
  tf.dispose(inputs);
  const largestDifference = Math.max(
    ...plain.grads.map((grad, i) => distance(grad, cudnn.grads[i])),
  );
  if (!(largestDifference <= TOLERANCE))
    throw new Error(`gradients differ by ${largestDifference}`);
  return { ...sizes, largestDifference, cudnnMs: cudnn.ms, plainMs: plain.ms };
}

/** The gradients, and the time of the second call with their way to the host. */
function measure(inputs, layout, options) {
  const loss = (q, k, v) => tf.sum(tf.square(causalAttention(q, k, v, layout, options)));
  const run = () =>
    tf.tidy(() =>
      tf
        .grads(loss)(inputs)
        .map((grad) => grad.dataSync()),
    );
  const grads = run();
  const before = performance.now();
  run();
  return { grads, ms: performance.now() - before };
}

/** |a − b| / |a| */
function distance(a, b) {
  const norm = (numbers) => Math.sqrt(numbers.reduce((sum, x) => sum + x * x, 0));
  return norm(a.map((x, i) => x - b[i])) / norm(a);
}
