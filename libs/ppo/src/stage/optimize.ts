import { setImmediate as nextTurn } from "node:timers/promises";
import { createRandom, deriveSeed } from "@stagecraft/core";
import type { Model } from "@stagecraft/model";
import type { Optimizer, tf } from "@stagecraft/tensor";
import type { Estimates, Experience } from "../batch/experience.js";
import { maskedMean, meanWeights, type Reduction } from "../math/masked.js";
import type { PolicyLossOptions } from "../tensor/losses.js";
import { criticStep } from "./critic-step.js";
import type { Ema } from "./ema.js";
import { cutMinibatch, split, toItems, type Item } from "./minibatch.js";
import { policyStep } from "./policy-step.js";
import { sharedStep } from "./shared-step.js";

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

/**
 * Epochs × minibatches of PPO on one batch of experience; models change in place. Throws `aborted`
 * when a loss or gradient is not finite, before it touches the weights.
 */
export async function optimize(
  trainees: Trainees,
  batch: readonly Experience[],
  { estimates, options }: { estimates: Estimates; options: OptimizeOptions },
): Promise<OptimizeSignals> {
  const items = toItems(batch, estimates);
  const random = createRandom(deriveSeed(options.seed, "minibatches", options.update));
  const steps: StepSignals[] = [];
  let epochsRun = 0;
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    for (const minibatch of split(random.shuffle([...items]), options.minibatches)) {
      steps.push(await minibatchStep(trainees, minibatch, options));
      await nextTurn(); // health checks and signals get their turn
    }
    epochsRun++;
    if (options.targetKl > 0 && steps.at(-1)!.approxKl > 1.5 * options.targetKl) break;
  }
  trainees.ema?.update();
  return { ...average(steps), epochsRun };
}

type StepSignals = Omit<OptimizeSignals, "epochsRun">;

async function minibatchStep(
  trainees: Trainees,
  items: readonly Item[],
  options: OptimizeOptions,
): Promise<StepSignals> {
  const lengths = items.map(({ experience }) => experience.responseIds.length);
  const parts = cutMinibatch(items, meanWeights(lengths, options.reduction), options);
  if (trainees.critic === trainees.policy) return sharedStep(trainees, parts, options);
  const policy = await policyStep(trainees, parts, options);
  const critic = criticStep(trainees, parts, options);
  return { ...policy, ...critic };
}

/** Means over the steps; the two errors are those of the first step, before any update. */
function average(steps: readonly StepSignals[]): StepSignals {
  const first = steps[0]!;
  const keys = Object.keys(first) as (keyof StepSignals)[];
  const means = Object.fromEntries(
    keys.map((key) => [key, maskedMean(steps.map((step) => step[key]))]),
  ) as unknown as StepSignals;
  const { firstRatioError, samplerLogProbError } = first;
  return { ...means, firstRatioError, samplerLogProbError };
}
