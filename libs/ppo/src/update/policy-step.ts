import { createLaterReads, tf, type LaterReads } from "@stagecraft/tensor";
import { concat } from "../batch/experience.js";
import { gatherFromRows, scatterToRows } from "../batch/layout.js";
import { behaviourWeights, policyLoss } from "../math/losses.js";
import { policyLossTensor, type PolicyTargets } from "../tensor/losses.js";
import type { Item, Part } from "./minibatch.js";
import type { OptimizeOptions, Trainees } from "./trainees.js";
import { optimizerStep } from "./optimizer-step.js";

/** One step of the policy on a minibatch; without `trainPolicy` it is measured only. */
export async function policyStep(
  trainees: Trainees,
  parts: readonly Part[],
  options: OptimizeOptions,
) {
  const { policy, policyOptimizer } = trainees;
  const figures: PolicyFigures[] = [];
  const later = createLaterReads();
  const losses = parts.map((part) => () => {
    const current = policy.logProbs(part.layout, logProbOptions(options));
    return policyPartLoss(part, current, { options, figures, later });
  });
  if (!options.trainPolicy) {
    for (const loss of losses) tf.tidy(() => void loss());
    later.read();
    return { ...sumFigures(figures), policyGradNorm: 0, ptxLoss: 0 };
  }
  const ptx = await ptxTerm(trainees, later);
  const step = {
    ...{ what: "policy" as const, optimizer: policyOptimizer, later },
    learningRate: options.policyLearningRate,
    losses: [...losses, ...ptx.losses],
  };
  const policyGradNorm = await optimizerStep(policy, step, { trainees, parts, options });
  return { ...sumFigures(figures), policyGradNorm, ptxLoss: ptx.value() };
}

/** How the policy's log-probs are computed in training. */
export function logProbOptions({ temperature, entropyCoef }: OptimizeOptions) {
  return { temperature, withEntropyGradient: entropyCoef > 0 };
}

/** The next ptx loss as a summand of the step, if there is one, and its value once computed. */
export async function ptxTerm({ ptxLoss }: Trainees, later: LaterReads) {
  const compute = await ptxLoss?.();
  let value = 0;
  const term = () => {
    const loss = compute!();
    later.add([loss], (values) => (value = values[0]!));
    return loss;
  };
  return { losses: compute ? [term] : [], value: () => value };
}

/** What is measured of the policy on a part of a minibatch. */
export interface PolicyFigures {
  policyLoss: number;
  entropy: number;
  approxKl: number;
  clipFraction: number;
  firstRatioError: number;
  samplerLogProbError: number;
}

interface PolicyScope {
  options: OptimizeOptions;
  figures: PolicyFigures[];
  later: LaterReads;
}

/** The policy's loss on a part from its log-probs there; `figures` gets what was measured, later. */
export function policyPartLoss(
  part: Part,
  current: { logProbs: tf.Tensor1D; entropy: tf.Tensor1D },
  { options, figures, later }: PolicyScope,
): tf.Scalar {
  later.add([current.logProbs, current.entropy], (logProbs, entropy) => {
    figures.push(measurePolicy(part, { logProbs, entropy }, options));
  });
  return policyLossTensor(current, policyTargets(part, options), options);
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
  current: { logProbs: Float32Array; entropy: Float32Array },
  options: OptimizeOptions,
): PolicyFigures {
  const { items, layout, weights } = part;
  const logProbs = gatherFromRows(layout, current.logProbs);
  const entropies = gatherFromRows(layout, current.entropy);
  const sampler = concat(items.map(({ experience }) => experience.behaviourLogProbs));
  const ages = concat(items.map(({ experience }) => experience.staleness));
  const result = policyLoss(
    {
      logProbs,
      oldLogProbs: concat(items.map(({ experience }) => experience.oldLogProbs)),
      advantages: concat(items.map(({ advantages }) => advantages)),
      weights,
      ...(options.decoupled
        ? { importance: concat(items.map((item) => importanceOf(item, options))) }
        : {}),
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
      (max, value, i) => (ages[i] === 0 ? Math.max(max, Math.abs(value - sampler[i]!)) : max),
      0,
    ),
  };
}

/** Weighted figures add up over the parts of a minibatch; the two errors are maxima. */
export function sumFigures(parts: readonly PolicyFigures[]): PolicyFigures {
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
