import { setImmediate as nextTurn } from "node:timers/promises";
import { createRandom, deriveSeed } from "@stagecraft/core";
import type { Estimates, Experience } from "../batch/experience.js";
import { maskedMean, meanWeights } from "../math/masked.js";
import { criticStep } from "./critic-step.js";
import { cutMinibatch, split, toItems, type Item } from "./minibatch.js";
import { policyStep } from "./policy-step.js";
import { sharedStep } from "./shared-step.js";
import type { OptimizeOptions, OptimizeSignals, Trainees } from "./trainees.js";

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
  const lengths = items.map(({ experience }) => experience.trained.length);
  const parts = cutMinibatch(items, meanWeights(lengths, options.reduction), options);
  if (trainees.critic === trainees.policy) return sharedStep(trainees, parts, options);
  const policy = await policyStep(trainees, parts, options);
  const critic = await criticStep(trainees, parts, options);
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
