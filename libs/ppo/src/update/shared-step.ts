import { HEAD_NAMES } from "@stagecraft/model";
import { createLaterReads, tf } from "@stagecraft/tensor";
import { valuePartLoss } from "./critic-step.js";
import type { Part } from "./minibatch.js";
import type { OptimizeOptions, Trainees } from "./trainees.js";
import { optimizerStep } from "./optimizer-step.js";
import {
  logProbOptions,
  policyPartLoss,
  ptxTerm,
  sumFigures,
  type PolicyFigures,
} from "./policy-step.js";

/**
 * One step of a policy that is its own critic: policy + c_v·value − c_H·entropy, one pass through the
 * trunk, one optimizer [37]. While the critic warms up, only the value head learns.
 */
export async function sharedStep(
  trainees: Trainees,
  parts: readonly Part[],
  options: OptimizeOptions,
) {
  const { policy, policyOptimizer } = trainees;
  const policyFigures: PolicyFigures[] = [];
  const criticFigures = { valueLoss: 0, valueClipFraction: 0 };
  const later = createLaterReads();
  const losses = parts.map((part) => () => {
    const { values, ...current } = policy.logProbsAndValues(part.layout, logProbOptions(options));
    const loss = policyPartLoss(part, current, { options, figures: policyFigures, later });
    const valueLoss = valuePartLoss(part, values, { options, figures: criticFigures, later });
    return options.trainPolicy ? tf.add<tf.Scalar>(loss, valueLoss) : valueLoss;
  });
  const ptx = options.trainPolicy ? await ptxTerm(trainees, later) : { losses: [], value: () => 0 };
  const step = {
    ...{ what: "policy" as const, optimizer: policyOptimizer, later },
    learningRate: options.policyLearningRate,
    losses: [...losses, ...ptx.losses],
    ...(options.trainPolicy ? {} : { select: keepValueHead }),
  };
  const policyGradNorm = await optimizerStep(policy, step, { trainees, parts, options });
  return {
    ...sumFigures(policyFigures),
    ...criticFigures,
    policyGradNorm,
    criticGradNorm: 0,
    ptxLoss: ptx.value(),
  };
}

const VALUE_HEAD: ReadonlySet<string> = new Set(Object.values(HEAD_NAMES.value));

function keepValueHead(grads: Map<string, tf.Tensor>): void {
  for (const [name, grad] of grads) {
    if (VALUE_HEAD.has(name)) continue;
    tf.dispose(grad);
    grads.delete(name);
  }
}
