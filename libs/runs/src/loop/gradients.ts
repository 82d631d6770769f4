import type { tf } from "@stagecraft/tensor";
import { createGradientAccumulator, valueAndGrads } from "@stagecraft/tensor";

/** What the gradient of one optimizer step needs from a task. */
export interface LossTask<B> {
  params: ReadonlyMap<string, tf.Variable>;
  /** A micro-batch's share of the denominator: target tokens, or prompts of a reward model. */
  weight(batch: B): number;
  /** Sum of the losses of the micro-batch divided by `denominator`; no tensor may outlive the call. */
  loss(batch: B, denominator: number): tf.Scalar;
}

/**
 * Value and gradient of a sum of losses, one backward pass each, so that only one of them is in
 * memory at a time. The caller disposes the gradients (`Optimizer.step` does not).
 */
export function sumGradients(
  params: ReadonlyMap<string, tf.Variable>,
  losses: readonly (() => tf.Scalar)[],
): { loss: number; grads: Map<string, tf.Tensor> } {
  const accumulator = createGradientAccumulator();
  let loss = 0;
  for (const compute of losses) {
    const { value, grads } = valueAndGrads(params, compute);
    loss += value.dataSync()[0]!;
    value.dispose();
    accumulator.add(grads);
  }
  return { loss, grads: accumulator.take() };
}

/**
 * Loss and gradient of one optimizer step over its micro-batches. The denominator is the weight of
 * all of them, so 1×N and N×1 micro-batches of uneven lengths give equal gradients [reference 1].
 */
export function accumulateGradients<B>(
  task: LossTask<B>,
  batches: readonly B[],
): { loss: number; grads: Map<string, tf.Tensor>; weight: number } {
  const weight = batches.reduce((sum, batch) => sum + task.weight(batch), 0);
  // Of weight 0 there is no loss; 1 keeps the gradient 0 instead of NaN.
  const denominator = Math.max(1, weight);
  const losses = batches.map((batch) => () => task.loss(batch, denominator));
  return { ...sumGradients(task.params, losses), weight };
}
