import type { Model } from "@stagecraft/model";
import type { GradientExchange } from "@stagecraft/runs";
import type { Optimizer, tf } from "@stagecraft/tensor";
import type { Reduction } from "../math/masked.js";
import type { PolicyLossOptions } from "../tensor/losses.js";
import type { Ema } from "./ema.js";

export interface OptimizeOptions extends PolicyLossOptions {
  epochs: number;
  minibatches: number;
  /** Input tokens of one forward and backward pass. */
  maxTokens: number;
  padId: number;
  temperature: number;
  reduction: Reduction;
  valueClipRange: number;
  valueCoef: number;
  /** Stop the epochs when a minibatch's approximate KL exceeds 1.5 times this; 0 = never. */
  targetKl: number;
  /** Weight the tokens by π_prox/π_behav outside the clip [AReaL]. */
  decoupled: boolean;
  importanceCap: number;
  policyLearningRate: number;
  criticLearningRate: number;
  /** false during the critic's warm-up. */
  trainPolicy: boolean;
  /** Names the shuffle of the minibatches. */
  seed: number;
  update: number;
}

export interface Trainees {
  policy: Model;
  policyOptimizer: Optimizer;
  /** The policy itself when the two share a trunk; then there is no optimizer of its own. */
  critic?: Model;
  criticOptimizer?: Optimizer;
  /** Running mean of the policy's parameters, updated after every update. */
  ema?: Ema;
  /** Default: this trainer is alone. */
  exchange?: GradientExchange;
  /** γ_ptx·CE on pre-training text, added to the policy's gradient of every step [IG]. */
  ptxLoss?: () => Promise<() => tf.Scalar>;
}

/** What the minibatch steps of one update measured, averaged over them. */
export interface OptimizeSignals {
  policyLoss: number;
  valueLoss: number;
  entropy: number;
  approxKl: number;
  clipFraction: number;
  valueClipFraction: number;
  /** Largest |ρ − 1| on the first minibatch of the first epoch; 0 up to rounding when all is well. */
  firstRatioError: number;
  /**
   * Largest |log π_trainer − log π_sampler| on that minibatch over tokens of the same weights, before
   * anything was updated.
   */
  samplerLogProbError: number;
  policyGradNorm: number;
  criticGradNorm: number;
  ptxLoss: number;
  epochsRun: number;
}
