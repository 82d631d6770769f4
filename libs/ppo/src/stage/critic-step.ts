import { sumGradients } from "@stagecraft/learn";
import { concat } from "../batch/experience.js";
import { gatherFromRows, scatterToRows } from "../batch/layout.js";
import { valueLoss } from "../math/losses.js";
import { valueLossTensor } from "../tensor/losses.js";
import type { Item, Part } from "./minibatch.js";
import type { OptimizeOptions, Trainees } from "./optimize.js";
import { applyStep } from "./optimizer-step.js";

/** One step of the critic on a minibatch; zeros when there is no critic. */
export function criticStep(trainees: Trainees, parts: readonly Part[], options: OptimizeOptions) {
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
