// Our side of the scoring rows: score.mjs LAYERS HEADS WIDTH INNER VOCAB BATCH LENGTH THREADS; a round
// scores one batch as the reward-model service does.
import { createModel, presetConfig } from "@stagecraft/model";
import { initEngine, tf } from "@stagecraft/tensor";
import { serveRounds } from "../lib/serve.mjs";
import { randomIds } from "./random-ids.mjs";

const [
  numLayers,
  numHeads,
  hiddenSize,
  intermediateSize,
  vocabSize,
  batchSize,
  length,
  numThreads,
] = process.argv.slice(2).map(Number);
await initEngine({ engine: "native", numThreads });
const config = presetConfig("llama", {
  numLayers,
  numHeads,
  hiddenSize,
  intermediateSize,
  vocabSize,
  maxPositions: 512,
  tieEmbeddings: true,
});
const model = createModel(config, { heads: ["score"], seed: 0 });
const ids = randomIds(batchSize * length, vocabSize);
const segments = new Int32Array(ids.length).fill(1);
const last = Int32Array.from({ length: batchSize }, (_, row) => (row + 1) * length - 1);

function score() {
  tf.tidy(() => model.scores({ ids, segments, batchSize, length }, last).dataSync());
}

await serveRounds(score, { facts: { params: model.numParams } });
