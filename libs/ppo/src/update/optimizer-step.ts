import { StagecraftError } from "@stagecraft/core";
import { gradientStep, sumGradients } from "@stagecraft/runs";
import type { Model } from "@stagecraft/model";
import type { LaterReads, Optimizer, tf } from "@stagecraft/tensor";
import { weightOf, type Part } from "./minibatch.js";
import type { OptimizeOptions, Trainees } from "./trainees.js";

export interface OptimizerStep {
  what: "policy" | "critic";
  optimizer: Optimizer;
  learningRate: number;
  /** Of the minibatch, one a part, and what is added to them. */
  losses: readonly (() => tf.Scalar)[];
  /** What the losses leave to be read once the step is over. */
  later: LaterReads;
  /** Drops, and disposes, gradients that are not to be learnt from. */
  select?(grads: Map<string, tf.Tensor>): void;
}

/**
 * One optimizer step on a minibatch; returns the norm of its gradient. Throws `aborted` when loss or
 * norm is not finite; the weights are untouched then.
 */
export async function optimizerStep(
  { params }: Model,
  { what, optimizer, learningRate, losses, later, select }: OptimizerStep,
  scope: { trainees: Trainees; parts: readonly Part[]; options: OptimizeOptions },
): Promise<number> {
  try {
    const own = sumGradients(params, losses);
    select?.(own.grads);
    const weight = weightOf(scope.parts, scope.options.reduction);
    const { gradNorm } = await gradientStep(
      { ...own, weight },
      {
        ...{ optimizer, learningRate, exchange: scope.trainees.exchange },
        diverged: (figure, value) => diverged(`${what} ${figure}`, value),
      },
    );
    later.read();
    return gradNorm;
  } finally {
    later.dispose();
  }
}

function diverged(what: string, value: number): StagecraftError {
  return new StagecraftError(
    "aborted",
    `the ${what} is ${value}: PPO has diverged; lower the learning rates, or raise klCoef. The last checkpoint is intact`,
  );
}
