import type { StagecraftError } from "@stagecraft/core";
import { tf, type Optimizer } from "@stagecraft/tensor";
import { takeLoss, type UnreadGradients } from "./gradients.js";

/** A mean loss and its gradients, accumulated over micro-batches. */
export interface Gradients {
  loss: number;
  grads: Map<string, tf.Tensor>;
  /** What the mean is over (tokens, prompts, answers): its weight beside those of other trainers. */
  weight: number;
}

/** Stands between accumulating gradients and the optimizer's step; several trainers meet here. */
export interface GradientExchange {
  /** The mean over all trainers by weight. Takes the gradients over; the caller disposes the answer. */
  mean(own: Gradients): Promise<Gradients>;
}

export interface GradientStepOptions {
  optimizer: Optimizer;
  learningRate: number;
  /** Default: this trainer is alone. */
  exchange?: GradientExchange | undefined;
  /** The error for a loss or gradient norm that is not finite. */
  diverged(what: "loss" | "gradient norm", value: number): StagecraftError;
}

/**
 * One step of an optimizer: exchanges the gradients, steps, disposes them. Throws what `diverged` makes
 * of a loss or norm that is not finite; the weights are untouched then.
 */
export async function gradientStep(
  own: UnreadGradients,
  options: GradientStepOptions,
): Promise<{ loss: number; weight: number; gradNorm: number }> {
  const { exchange } = options;
  if (!exchange) return stepAlone(own, options);
  const { losses, ...gradients } = own;
  const mean = await exchange.mean({ ...gradients, loss: takeLoss(losses) });
  try {
    if (!Number.isFinite(mean.loss)) throw options.diverged("loss", mean.loss);
    const { gradNorm } = options.optimizer.step(mean.grads, options.learningRate);
    if (!Number.isFinite(gradNorm)) throw options.diverged("gradient norm", gradNorm);
    return { loss: mean.loss, weight: mean.weight, gradNorm };
  } finally {
    tf.dispose([...mean.grads.values()]);
  }
}

/** The losses are read behind the step, which leaves the weights alone when one is not finite. */
function stepAlone(
  { losses, grads, weight }: UnreadGradients,
  { optimizer, learningRate, diverged }: GradientStepOptions,
) {
  try {
    const { gradNorm } = optimizer.step(grads, learningRate, losses);
    const loss = takeLoss(losses);
    if (!Number.isFinite(loss)) throw diverged("loss", loss);
    if (!Number.isFinite(gradNorm)) throw diverged("gradient norm", gradNorm);
    return { loss, weight, gradNorm };
  } finally {
    tf.dispose([...grads.values()]);
  }
}
