import {
  createGradientAccumulator,
  runRecorded,
  summedValueAndGrads,
  tf,
} from "@stagecraft/tensor";

/** What the gradient of one optimizer step needs from a task. */
export interface LossTask<B> {
  params: ReadonlyMap<string, tf.Variable>;
  /** A micro-batch's share of the denominator: target tokens, or prompts of a reward model. */
  weight(batch: B): number;
  /** Sum of the losses of the micro-batch divided by `denominator`; no tensor may outlive the call. */
  loss(batch: B, denominator: number): tf.Scalar;
  /** Parts of a micro-batch, of equal shapes, one for each device that computes it. Default: itself. */
  split?: ((batch: B) => readonly B[]) | undefined;
}

/** Losses that were not read yet and the gradient of their sum; the caller disposes both. */
export interface UnreadGradients {
  losses: readonly tf.Scalar[];
  grads: Map<string, tf.Tensor>;
  /** What the mean is over (tokens, prompts, answers): its weight beside those of other trainers. */
  weight: number;
}

/**
 * Values and gradient of a sum of losses, one backward pass each, so that only one of them is in
 * memory at a time. The values are read later, so that an engine that records can compute them with the
 * optimizer's step. The caller disposes all (`Optimizer.step` does not).
 */
export function sumGradients(
  params: ReadonlyMap<string, tf.Variable>,
  losses: readonly (() => tf.Scalar)[],
): Omit<UnreadGradients, "weight"> {
  return sumPasses(
    params,
    losses.map((loss) => [loss]),
  );
}

/** The same of passes whose parts are computed by a device each. */
function sumPasses(
  params: ReadonlyMap<string, tf.Variable>,
  passes: readonly (readonly (() => tf.Scalar)[])[],
): Omit<UnreadGradients, "weight"> {
  const accumulator = createGradientAccumulator();
  const values = passes.map((parts, i) => {
    if (i > 0) runRecorded();
    const { value, grads } = summedValueAndGrads(params, parts);
    accumulator.add(grads);
    return value;
  });
  return { losses: values, grads: accumulator.take() };
}

/** The sum of the losses, which are disposed. */
export function takeLoss(losses: readonly tf.Scalar[]): number {
  const loss = losses.reduce((sum, value) => sum + value.dataSync()[0]!, 0);
  tf.dispose([...losses]);
  return loss;
}

/**
 * Losses and gradient of one optimizer step over its micro-batches. The denominator is the weight of
 * all of them, so 1×N and N×1 micro-batches of uneven lengths give equal gradients [reference 1].
 */
export function accumulateGradients<B>(task: LossTask<B>, batches: readonly B[]): UnreadGradients {
  const weight = batches.reduce((sum, batch) => sum + task.weight(batch), 0);
  // Of weight 0 there is no loss; 1 keeps the gradient 0 instead of NaN.
  const denominator = Math.max(1, weight);
  const passes = batches.map((batch) => {
    const parts = task.split?.(batch) ?? [batch];
    return parts.map((part) => () => task.loss(part, denominator));
  });
  return { ...sumPasses(task.params, passes), weight };
}
