import { createLaterReads, type LaterReads, tf } from "@stagecraft/tensor";
import { concat } from "../batch/experience.js";
import { gatherFromRows, scatterToRows } from "../batch/layout.js";
import { valueLoss } from "../math/losses.js";
import { valueLossTensor } from "../tensor/losses.js";
import type { Item, Part } from "./minibatch.js";
import type { OptimizeOptions, Trainees } from "./trainees.js";
import { optimizerStep } from "./optimizer-step.js";

/** What is measured of the critic on a minibatch. */
export interface CriticFigures {
  valueLoss: number;
  valueClipFraction: number;
}

/** One step of the critic on a minibatch; zeros when there is no critic. */
export async function criticStep(
  trainees: Trainees,
  parts: readonly Part[],
  options: OptimizeOptions,
) {
  const { critic, criticOptimizer } = trainees;
  const figures = { valueLoss: 0, valueClipFraction: 0 };
  if (!critic || !criticOptimizer) return { ...figures, criticGradNorm: 0 };
  const later = createLaterReads();
  const losses = parts.map(
    (part) => () => valuePartLoss(part, critic.values(part.layout), { options, figures, later }),
  );
  const step = {
    ...{ what: "critic" as const, optimizer: criticOptimizer, losses, later },
    learningRate: options.criticLearningRate,
  };
  const criticGradNorm = await optimizerStep(critic, step, { trainees, parts, options });
  return { ...figures, criticGradNorm };
}

interface CriticScope {
  options: OptimizeOptions;
  figures: CriticFigures;
  later: LaterReads;
}

/** c_v times the value loss on a part, from the values there; `figures` adds up what was measured, later. */
export function valuePartLoss(
  { items, layout, weights }: Part,
  values: tf.Tensor1D,
  { options, figures, later }: CriticScope,
): tf.Scalar {
  const { valueClipRange, valueCoef } = options;
  const pick = (of: (item: Item) => ArrayLike<number>) => concat(items.map(of));
  const oldValues = pick(({ experience }) => experience.values);
  const returns = pick((item) => item.returns);
  later.add([values], (all) => {
    const current = gatherFromRows(layout, all);
    const measured = valueLoss({ values: current, oldValues, returns, weights }, valueClipRange);
    figures.valueLoss += measured.loss;
    figures.valueClipFraction += measured.clipFraction;
  });
  const targets = {
    oldValues: scatterToRows(layout, oldValues),
    returns: scatterToRows(layout, returns),
    weights: scatterToRows(layout, weights),
  };
  return tf.mul(valueLossTensor(values, targets, valueClipRange), valueCoef);
}
