import { createGradientAccumulator, tf, valueAndGrads } from "@stagecraft/tensor";

/** What the gradient of one optimizer step needs from a task. */
export interface LossTask<B> {
  params: ReadonlyMap<string, tf.Variable>;
  /** A micro-batch's share of the denominator: target tokens, or prompts of a reward model. */
  weight(batch: B): number;
  /** Sum of the losses of the micro-batch divided by `denominator`; no tensor may outlive the call. */
  loss(batch: B, denominator: number): tf.Scalar;
}

/**
 * Loss and gradient of one optimizer step over its micro-batches. The denominator is the weight of
 * all of them, so 1×N and N×1 micro-batches of uneven lengths give equal gradients [rlhf.md 1].
 * The caller disposes the gradients (`Optimizer.step` reads, it does not dispose).
 */
export function accumulateGradients<B>(
  task: LossTask<B>,
  batches: readonly B[],
): { loss: number; grads: Map<string, tf.Tensor> } {
  const denominator = batches.reduce((sum, batch) => sum + task.weight(batch), 0);
  const accumulator = createGradientAccumulator();
  let loss = 0;
  for (const batch of batches) {
    // A denominator of 0 has no loss; 1 keeps the gradient 0 instead of NaN.
    const { value, grads } = valueAndGrads(task.params, () =>
      task.loss(batch, Math.max(1, denominator)),
    );
    loss += value.dataSync()[0]!;
    value.dispose();
    accumulator.add(grads);
  }
  return { loss, grads: accumulator.take() };
}
