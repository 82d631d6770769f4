import { createRandom, deriveSeed, StagecraftError } from "@stagecraft/core";
import { sumGradients } from "@stagecraft/learn";
import type { Model } from "@stagecraft/model";
import { tf, type Optimizer } from "@stagecraft/tensor";
import { concat, type Estimates, type Experience } from "../batch/experience.js";
import {
  gatherFromRows,
  layoutSequences,
  microBatches,
  scatterToRows,
  type RolloutLayout,
} from "../batch/layout.js";
import { policyLoss, valueLoss, behaviourWeights } from "../math/losses.js";
import { maskedMean, meanWeights, type Reduction } from "../math/masked.js";
import {
  policyLossTensor,
  valueLossTensor,
  type PolicyLossOptions,
  type PolicyTargets,
} from "../tensor/losses.js";

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
  critic?: Model;
  criticOptimizer?: Optimizer;
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
  /** Largest |log π_trainer − log π_sampler| on that minibatch, before anything was updated. */
  samplerLogProbError: number;
  policyGradNorm: number;
  criticGradNorm: number;
  ptxLoss: number;
  epochsRun: number;
}

/** One item of a minibatch with its advantages. */
interface Item {
  experience: Experience;
  advantages: Float64Array;
  returns: Float64Array;
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
  const items = batch.map((experience, i) => ({
    experience,
    advantages: estimates.advantages[i]!,
    returns: estimates.returns[i]!,
  }));
  const random = createRandom(deriveSeed(options.seed, "minibatches", options.update));
  const steps: StepSignals[] = [];
  let epochsRun = 0;
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    for (const minibatch of split(random.shuffle([...items]), options.minibatches)) {
      steps.push(await minibatchStep(trainees, minibatch, options));
    }
    epochsRun++;
    if (options.targetKl > 0 && steps.at(-1)!.approxKl > 1.5 * options.targetKl) break;
  }
  return { ...average(steps), epochsRun };
}

type StepSignals = Omit<OptimizeSignals, "epochsRun">;

async function minibatchStep(
  trainees: Trainees,
  items: readonly Item[],
  options: OptimizeOptions,
): Promise<StepSignals> {
  const lengths = items.map(({ experience }) => experience.responseIds.length);
  const parts = cut(items, meanWeights(lengths, options.reduction), options.maxTokens);
  const policy = await policyStep(trainees, parts, options);
  const critic = criticStep(trainees, parts, options);
  return { ...policy, ...critic };
}

/** A micro-batch laid out, with its share of the minibatch's weights. */
interface Part {
  items: Item[];
  layout: RolloutLayout;
  /** Per response token, end to end. */
  weights: Float64Array;
}

function cut(items: readonly Item[], weights: Float64Array, maxTokens: number): Part[] {
  const groups = microBatches(
    items.map(({ experience }) => experience),
    maxTokens,
  );
  let first = 0;
  let offset = 0;
  return groups.map((group) => {
    const layout = layoutSequences(group, { padId: 0 });
    const part = {
      items: items.slice(first, first + group.length),
      layout,
      weights: weights.slice(offset, offset + layout.rows.length),
    };
    first += group.length;
    offset += layout.rows.length;
    return part;
  });
}

async function policyStep(trainees: Trainees, parts: readonly Part[], options: OptimizeOptions) {
  const { policy, policyOptimizer } = trainees;
  const figures: PolicyFigures[] = [];
  const losses = parts.map((part) => () => policyPartLoss(policy, part, { options, figures }));
  if (!options.trainPolicy) {
    for (const loss of losses) tf.tidy(() => void loss());
    return { ...sumFigures(figures), policyGradNorm: 0, ptxLoss: 0 };
  }
  let ptxValue = 0;
  const ptx = await trainees.ptxLoss?.();
  if (ptx) {
    losses.push(() => {
      const loss = ptx();
      ptxValue = loss.dataSync()[0]!;
      return loss;
    });
  }
  const { loss, grads } = sumGradients(policy.params, losses);
  const policyGradNorm = applyStep(policyOptimizer, grads, {
    loss,
    learningRate: options.policyLearningRate,
    what: "policy",
  });
  return { ...sumFigures(figures), policyGradNorm, ptxLoss: ptxValue };
}

interface PolicyFigures {
  policyLoss: number;
  entropy: number;
  approxKl: number;
  clipFraction: number;
  firstRatioError: number;
  samplerLogProbError: number;
}

function policyPartLoss(
  policy: Model,
  part: Part,
  { options, figures }: { options: OptimizeOptions; figures: PolicyFigures[] },
): tf.Scalar {
  const { layout } = part;
  const current = policy.logProbs(layout, {
    temperature: options.temperature,
    withEntropyGradient: options.entropyCoef > 0,
  });
  const targets = policyTargets(part, options);
  figures.push(measurePolicy(part, current, options));
  return policyLossTensor(current, targets, options);
}

function policyTargets(part: Part, options: OptimizeOptions): PolicyTargets {
  const flat = (pick: (item: Item) => ArrayLike<number>) =>
    scatterToRows(part.layout, concat(part.items.map(pick)));
  return {
    oldLogProbs: flat(({ experience }) => experience.oldLogProbs),
    advantages: flat(({ advantages }) => advantages),
    weights: scatterToRows(part.layout, part.weights),
    ...(options.decoupled ? { importance: flat((item) => importanceOf(item, options)) } : {}),
    ...(options.klLossCoef > 0
      ? { refLogProbs: flat(({ experience }) => experience.refLogProbs) }
      : {}),
  };
}

function importanceOf({ experience }: Item, { importanceCap }: OptimizeOptions): Float64Array {
  return behaviourWeights(experience.oldLogProbs, experience.behaviourLogProbs, importanceCap);
}

/** The figures in float64, from the same log-probs that the gradient sees. */
function measurePolicy(
  part: Part,
  current: { logProbs: tf.Tensor1D; entropy: tf.Tensor1D },
  options: OptimizeOptions,
): PolicyFigures {
  const { items, layout, weights } = part;
  const logProbs = gatherFromRows(layout, current.logProbs.dataSync());
  const entropies = gatherFromRows(layout, current.entropy.dataSync());
  const sampler = concat(items.map(({ experience }) => experience.behaviourLogProbs));
  const result = policyLoss(
    {
      logProbs,
      oldLogProbs: concat(items.map(({ experience }) => experience.oldLogProbs)),
      advantages: concat(items.map(({ advantages }) => advantages)),
      weights,
    },
    options,
  );
  return {
    policyLoss: result.loss,
    entropy: entropies.reduce((sum, entropy, i) => sum + weights[i]! * entropy, 0),
    approxKl: result.approxKl,
    clipFraction: result.clipFraction,
    firstRatioError: result.maxRatioError,
    samplerLogProbError: logProbs.reduce(
      (max, value, i) => Math.max(max, Math.abs(value - sampler[i]!)),
      0,
    ),
  };
}

/** Weighted figures add up over the parts of a minibatch; the two errors are maxima. */
function sumFigures(parts: readonly PolicyFigures[]): PolicyFigures {
  const total = (key: keyof PolicyFigures) => parts.reduce((sum, part) => sum + part[key], 0);
  const largest = (key: keyof PolicyFigures) => Math.max(...parts.map((part) => part[key]));
  return {
    policyLoss: total("policyLoss"),
    entropy: total("entropy"),
    approxKl: total("approxKl"),
    clipFraction: total("clipFraction"),
    firstRatioError: largest("firstRatioError"),
    samplerLogProbError: largest("samplerLogProbError"),
  };
}

function criticStep(trainees: Trainees, parts: readonly Part[], options: OptimizeOptions) {
  const { critic, criticOptimizer } = trainees;
  const figures = { valueLoss: 0, valueClipFraction: 0, criticGradNorm: 0 };
  if (!critic || !criticOptimizer) return figures;
  const losses = parts.map((part) => () => {
    const values = critic.values(part.layout);
    const pick = (of: (item: Item) => ArrayLike<number>) => concat(part.items.map(of));
    const oldValues = pick(({ experience }) => experience.values);
    const returns = pick((item) => item.returns);
    const measured = valueLoss(
      {
        values: gatherFromRows(part.layout, values.dataSync()),
        oldValues,
        returns,
        weights: part.weights,
      },
      options.valueClipRange,
    );
    figures.valueLoss += measured.loss;
    figures.valueClipFraction += measured.clipFraction;
    const targets = {
      oldValues: scatterToRows(part.layout, oldValues),
      returns: scatterToRows(part.layout, returns),
      weights: scatterToRows(part.layout, part.weights),
    };
    return valueLossTensor(values, targets, options.valueClipRange)
      .mul(options.valueCoef)
      .asScalar();
  });
  const { loss, grads } = sumGradients(critic.params, losses);
  figures.criticGradNorm = applyStep(criticOptimizer, grads, {
    loss,
    learningRate: options.criticLearningRate,
    what: "critic",
  });
  return figures;
}

function applyStep(
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

/** `count` parts of nearly equal size, none empty. */
function split<T>(items: readonly T[], count: number): T[][] {
  const parts = Math.min(count, items.length);
  return Array.from({ length: parts }, (_, i) =>
    items.slice(
      Math.floor((i * items.length) / parts),
      Math.floor(((i + 1) * items.length) / parts),
    ),
  );
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
