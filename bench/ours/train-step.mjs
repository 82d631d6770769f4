// One step of the training loop's own parts (loss, gradients, AdamW, clip 1) on random tokens, for the rows of
// training; see lib/serve.mjs for what a round answers.
import { lmLoss } from "@stagecraft/learn";
import { optimizerFor, sumGradients, takeLoss } from "@stagecraft/runs";
import { randomIds } from "./random-ids.mjs";

/**
 * @param {import("@stagecraft/model").Model} model
 * @param {{ batchSize: number, length: number, learningRate: number, weightDecay: number }} options
 */
export function createTrainStep(model, { batchSize, length, learningRate, weightDecay }) {
  const { vocabSize } = model.config;
  const optimizer = optimizerFor(model.params, {
    ...{ optimizer: "adamw", beta1: 0.9, beta2: 0.99, adamEps: 1e-8, momentum: 0 },
    ...{ weightDecay, clipNorm: 1 },
  });
  const numTargets = batchSize * length;
  const batches = Array.from({ length: 4 }, () => ({
    ...{ batchSize, length, numTargets },
    ids: randomIds(numTargets, vocabSize),
    targets: randomIds(numTargets, vocabSize),
  }));
  let step = 0;
  return () => {
    const batch = batches[step++ % batches.length];
    const { losses, grads } = sumGradients(model.params, [() => lmLoss(model, batch, numTargets)]);
    optimizer.step(grads, learningRate, losses);
    for (const grad of grads.values()) grad.dispose();
    return { loss: takeLoss(losses) };
  };
}
