import { StagecraftError } from "@stagecraft/core";
import { tf, type Optimizer } from "@stagecraft/tensor";

/**
 * One optimizer step; disposes the gradients and returns their norm. Throws `aborted` when loss or
 * norm is not finite; the weights are untouched then.
 */
export function applyStep(
  optimizer: Optimizer,
  grads: Map<string, tf.Tensor>,
  step: { loss: number; learningRate: number; what: string },
): number {
  try {
    if (!Number.isFinite(step.loss)) throw diverged(`${step.what} loss`, step.loss);
    const { gradNorm } = optimizer.step(grads, step.learningRate);
    if (!Number.isFinite(gradNorm)) throw diverged(`${step.what} gradient norm`, gradNorm);
    return gradNorm;
  } finally {
    tf.dispose([...grads.values()]);
  }
}

function diverged(what: string, value: number): StagecraftError {
  return new StagecraftError(
    "aborted",
    `the ${what} is ${value}: PPO has diverged; lower the learning rates, or raise klCoef. The last checkpoint is intact`,
  );
}
