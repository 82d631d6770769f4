// Our side of the training rows: train.mjs LAYERS HEADS WIDTH LENGTH BATCH VOCAB THREADS; a round is one
// step of the training loop's own parts (loss, gradients, AdamW) on a GPT without biases, as nanoGPT's.
import { createModel, presetConfig } from "@stagecraft/model";
import { startEngine } from "../lib/engine.mjs";
import { serveRounds } from "../lib/serve.mjs";
import { createTrainStep } from "./train-step.mjs";

const [numLayers, numHeads, hiddenSize, length, batchSize, vocabSize, numThreads] = process.argv
  .slice(2)
  .map(Number);
await startEngine(numThreads);
const sizes = { numLayers, numHeads, hiddenSize, vocabSize, maxPositions: length, bias: false };
const model = createModel(presetConfig("gpt2", sizes), { heads: ["lm"], seed: 0 });
const step = { batchSize, length, learningRate: 1e-3, weightDecay: 0.1 };

await serveRounds(createTrainStep(model, step), { facts: { params: model.numParams } });
