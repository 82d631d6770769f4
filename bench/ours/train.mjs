// Our side of the training rows: train.mjs LAYERS HEADS WIDTH LENGTH BATCH VOCAB THREADS; a round is one
// step of the training loop's own parts (loss, gradients, AdamW) on a GPT without biases, as nanoGPT's.
import { lmLoss } from "@stagecraft/learn";
import { optimizerFor, sumGradients, takeLoss } from "@stagecraft/runs";
import { createModel, presetConfig } from "@stagecraft/model";
import { initEngine } from "@stagecraft/tensor";
import { serveRounds } from "../lib/serve.mjs";
import { randomIds } from "./random-ids.mjs";

const [numLayers, numHeads, hiddenSize, length, batchSize, vocabSize, numThreads] = process.argv
  .slice(2)
  .map(Number);
await initEngine({ engine: "native", numThreads });
const sizes = { numLayers, numHeads, hiddenSize, vocabSize, maxPositions: length, bias: false };
const model = createModel(presetConfig("gpt2", sizes), { heads: ["lm"], seed: 0 });
const optimizer = optimizerFor(model.params, {
  optimizer: "adamw",
  beta1: 0.9,
  beta2: 0.99,
  adamEps: 1e-8,
  momentum: 0,
  weightDecay: 0.1,
  clipNorm: 1,
});
const numTargets = batchSize * length;
const batches = Array.from({ length: 4 }, () => ({
  batchSize,
  length,
  ids: randomIds(numTargets, vocabSize),
  targets: randomIds(numTargets, vocabSize),
  numTargets,
}));
let step = 0;

function trainStep() {
  const batch = batches[step++ % batches.length];
  const { losses, grads } = sumGradients(model.params, [() => lmLoss(model, batch, numTargets)]);
  optimizer.step(grads, 1e-3, losses);
  for (const grad of grads.values()) grad.dispose();
  return { loss: takeLoss(losses) };
}

await serveRounds(trainStep, { facts: { params: model.numParams } });
