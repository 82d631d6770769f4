// Our side of the LoRA rows: lora.mjs LAYERS HEADS KVHEADS WIDTH INNER VOCAB LENGTH BATCH RANK THREADS; a round is
// one step of the training loop's own parts (loss, gradients, AdamW) on a Llama with adapters on every linear map.
import { lmLoss } from "@stagecraft/learn";
import { addLora, createModel, presetConfig } from "@stagecraft/model";
import { optimizerFor, sumGradients } from "@stagecraft/runs";
import { initEngine } from "@stagecraft/tensor";
import { serveRounds } from "../lib/serve.mjs";
import { randomIds } from "./random-ids.mjs";

const [layers, heads, kvHeads, width, inner, vocabSize, length, batchSize, rank, numThreads] =
  process.argv.slice(2).map(Number);
await initEngine({ engine: "native", numThreads });
const sizes = { numLayers: layers, numHeads: heads, numKvHeads: kvHeads, hiddenSize: width };
const config = presetConfig("llama", {
  ...sizes,
  ...{ intermediateSize: inner, vocabSize, maxPositions: length, tieEmbeddings: true },
});
const targets = ["q", "k", "v", "o", "gate", "up", "down"];
const base = createModel(config, { heads: ["lm"], seed: 0 });
const model = addLora(base, { rank, alpha: 2 * rank, targets, seed: 0 });
const optimizer = optimizerFor(model.params, {
  optimizer: "adamw",
  beta1: 0.9,
  beta2: 0.99,
  adamEps: 1e-8,
  momentum: 0,
  weightDecay: 0,
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
  const { loss, grads } = sumGradients(model.params, [() => lmLoss(model, batch, numTargets)]);
  optimizer.step(grads, 1e-4);
  for (const grad of grads.values()) grad.dispose();
  return { loss };
}

await serveRounds(trainStep, { facts: { params: model.numParams, base: base.numParams } });
