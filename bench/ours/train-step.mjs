// One step of the training loop's own parts (gradients, AdamW, clip 1) on random tokens, for the rows of
// training; see lib/serve.mjs for what a round answers.
import { answerLogProbs, dpoLossTensor, lmLoss } from "@stagecraft/learn";
import { optimizerFor, sumGradients, takeLoss } from "@stagecraft/runs";
import { tf } from "@stagecraft/tensor";
import { randomIds } from "./random-ids.mjs";

const NUM_BATCHES = 4;

/** @typedef {{ batchSize: number, length: number, learningRate: number, weightDecay: number }} StepOptions */

/** @param {import("@stagecraft/model").Model} model @param {StepOptions} options */
export function createTrainStep(model, options) {
  const { batchSize, length } = options;
  const { vocabSize } = model.config;
  const numTargets = batchSize * length;
  const batches = Array.from({ length: NUM_BATCHES }, () => ({
    ...{ batchSize, length, numTargets },
    ids: randomIds(numTargets, vocabSize),
    targets: randomIds(numTargets, vocabSize),
  }));
  const step = createStep(model, options);
  let next = 0;
  return () => {
    const batch = batches[next++ % batches.length];
    return step(() => lmLoss(model, batch, numTargets));
  };
}

/**
 * DPO of one pair, two sequences whose second half is the answer: the reference's log-probs, which the stage
 * measures once for every pair, then the step.
 * @param {import("@stagecraft/model").LoraModel} model @param {StepOptions} options
 */
export function createDpoStep(model, options) {
  const { length } = options;
  const sequence = () => randomIds(length, model.config.vocabSize);
  const pairs = Array.from({ length: NUM_BATCHES }, () => ({
    sequences: [sequence(), sequence()],
    answerLengths: [length / 2, length / 2],
    ranks: [1, 2],
  }));
  const step = createStep(model, options);
  let next = 0;
  return () => {
    const items = [pairs[next++ % pairs.length]];
    const reference = tf.tidy(() => answerLogProbs(model.base, items).dataSync());
    return step(() =>
      tf.tidy(() => {
        const logRatios = tf.sub(answerLogProbs(model, items), tf.tensor1d(reference));
        return dpoLossTensor(logRatios, items, { beta: 0.1, labelSmoothing: 0 });
      }),
    );
  };
}

/** Gradients of a loss, and AdamW with them. */
function createStep(model, { learningRate, weightDecay }) {
  const optimizer = optimizerFor(model.params, {
    ...{ optimizer: "adamw", beta1: 0.9, beta2: 0.99, adamEps: 1e-8, momentum: 0 },
    ...{ weightDecay, clipNorm: 1 },
  });
  return (loss) => {
    const { losses, grads } = sumGradients(model.params, [loss]);
    optimizer.step(grads, learningRate, losses);
    for (const grad of grads.values()) grad.dispose();
    return { loss: takeLoss(losses) };
  };
}
