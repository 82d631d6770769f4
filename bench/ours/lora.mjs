// Our side of the LoRA rows: lora.mjs LAYERS HEADS KVHEADS WIDTH INNER VOCAB LENGTH BATCH RANK THREADS STAGE; a
// round is one step of the training loop's own parts (loss, gradients, AdamW) on a Llama with adapters on every
// linear map; STAGE sft: tokens to predict, dpo: one pair, with the log-probs of its reference.
import { addLora, createModel, presetConfig } from "@stagecraft/model";
import { initEngine } from "@stagecraft/tensor";
import { serveRounds } from "../lib/serve.mjs";
import { createDpoStep, createTrainStep } from "./train-step.mjs";

const [layers, heads, kvHeads, width, inner, vocabSize, length, batchSize, rank, numThreads] =
  process.argv.slice(2).map(Number);
const createStep = process.argv.at(-1) === "dpo" ? createDpoStep : createTrainStep;
await initEngine({ engine: "native", numThreads });
const sizes = { numLayers: layers, numHeads: heads, numKvHeads: kvHeads, hiddenSize: width };
const config = presetConfig("llama", {
  ...sizes,
  ...{ intermediateSize: inner, vocabSize, maxPositions: length, tieEmbeddings: true },
});
const targets = ["q", "k", "v", "o", "gate", "up", "down"];
const base = createModel(config, { heads: ["lm"], seed: 0 });
const model = addLora(base, { rank, alpha: 2 * rank, targets, seed: 0 });
const step = { batchSize, length, learningRate: 1e-4, weightDecay: 0 };

await serveRounds(createStep(model, step), {
  facts: { params: model.numParams, base: base.numParams },
});
