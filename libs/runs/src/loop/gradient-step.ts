import type { StagecraftError } from "@stagecraft/core";
import { tf, type Optimizer } from "@stagecraft/tensor";

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

/** Of a trainer that is alone. */
const ALONE: GradientExchange = { mean: (own) => Promise.resolve(own) };

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
  own: Gradients,
  { optimizer, learningRate, exchange = ALONE, diverged }: GradientStepOptions,
): Promise<{ loss: number; weight: number; gradNorm: number }> {
  const { loss, weight, grads } = await exchange.mean(own);
  try {
    if (!Number.isFinite(loss)) throw diverged("loss", loss);
    const { gradNorm } = optimizer.step(grads, learningRate);
    if (!Number.isFinite(gradNorm)) throw diverged("gradient norm", gradNorm);
    return { loss, weight, gradNorm };
  } finally {
    tf.dispose([...grads.values()]);
  }
}
