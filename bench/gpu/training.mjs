// One training, as the product's loop does it: loss, gradients and AdamW of a GPT without biases, as nanoGPT's.
import { createRandom } from "@stagecraft/core";
import { lmLoss, splitRows } from "@stagecraft/learn";
import { createModel, presetConfig } from "@stagecraft/model";
import { accumulateGradients, optimizerFor, takeLoss } from "@stagecraft/runs";

const ADAMW = {
  ...{ optimizer: "adamw", beta1: 0.9, beta2: 0.99, adamEps: 1e-8 },
  ...{ momentum: 0, weightDecay: 0.1, clipNorm: 1 },
};

/**
 * @typedef {{ layers: number, heads: number, width: number, length: number, batch: number, vocab: number }} Shape
 * @param {Shape} shape
 * @param {{ numDevices?: number }} [options] that share the rows of each batch
 */
export function createTraining(
  { layers, heads, width, length, batch, vocab },
  { numDevices = 1 } = {},
) {
  const sizes = { numLayers: layers, numHeads: heads, hiddenSize: width, vocabSize: vocab };
  const config = presetConfig("gpt2", { ...sizes, maxPositions: length, bias: false });
  const model = createModel(config, { heads: ["lm"], seed: 0 });
  const optimizer = optimizerFor(model.params, ADAMW);
  const random = createRandom(1);
  const numTargets = batch * length;
  const draw = () => Int32Array.from({ length: numTargets }, () => random.nextInt(vocab));
  const positions = Int32Array.from({ length: numTargets }, (_, i) => i % length);
  const segments = new Int32Array(numTargets).fill(1);
  const rows = { batchSize: batch, length, positions, segments, numTargets };
  const batches = Array.from({ length: 4 }, () => ({ ...rows, ids: draw(), targets: draw() }));
  const task = {
    params: model.params,
    weight: (given) => given.numTargets,
    loss: (given, denominator) => lmLoss(model, given, denominator),
    split: (given) => (numDevices > 1 ? splitRows(given, numDevices) : [given]),
  };
  let step = 0;
  return {
    numParams: model.numParams,
    /** One step, and its loss. */
    step() {
      const { losses, grads } = accumulateGradients(task, [batches[step++ % batches.length]]);
      optimizer.step(grads, 1e-3, losses);
      for (const grad of grads.values()) grad.dispose();
      return takeLoss(losses);
    },
    dispose() {
      optimizer.dispose();
      model.dispose();
    },
  };
}

/** FLOP of one training step as nanoGPT counts them: 6 for each weight and token, and attention's 12·L·D·T. */
export function stepFlops({ layers, width, length, batch }, numParams) {
  return batch * length * (6 * numParams + 12 * layers * width * length);
}
