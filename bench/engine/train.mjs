// Our side of the training benchmark: node bench/engine/train.mjs LAYERS HEADS WIDTH LENGTH BATCH VOCAB
// then one line on stdin per measured block of steps, as in peer_train.py.
import { createInterface } from "node:readline";
import { createOptimizer, initEngine, tf, tokenLogProbs, valueAndGrads } from "@stagecraft/tensor";
import { createWeights, hidden, randomIds } from "./model.mjs";

const [layers, heads, width, length, batch, vocab, numThreads = 2] = process.argv
  .slice(2)
  .map(Number);
await initEngine({ engine: "native", numThreads });
const { params, weights, numParams } = createWeights({
  layers,
  heads,
  width,
  inner: 4 * width,
  vocab,
  length,
  gpt2: true,
});
const optimizer = createOptimizer(params, {
  kind: "adamw",
  beta1: 0.9,
  beta2: 0.99,
  eps: 1e-8,
  weightDecay: 0.1,
  clipNorm: 1,
});
const rows = batch * length;
const batches = Array.from({ length: 4 }, () => [randomIds(rows, vocab), randomIds(rows, vocab)]);
const layout = { batchSize: batch, length };

function step(i) {
  const [ids, targets] = batches[i % 4];
  const { value, grads } = valueAndGrads(params, () => {
    const { logProbs } = tokenLogProbs(hidden(weights, ids, layout), weights.embedding, targets);
    return tf.neg(tf.mean(logProbs));
  });
  optimizer.step(grads, 1e-3);
  const loss = value.dataSync()[0];
  tf.dispose([value, ...grads.values()]);
  return loss;
}

for (let i = 0; i < 3; i++) step(i);
console.log(JSON.stringify({ params: numParams }));
for await (const line of createInterface({ input: process.stdin })) {
  const start = performance.now();
  const cpu = process.cpuUsage();
  let loss = 0;
  for (let i = 0; i < Number(line); i++) loss = step(i);
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = (user + system) / 1e6;
  const rssMb = process.resourceUsage().maxRSS / 1024;
  const { numAllocated, idleBytes } = tf.backend().buffers();
  console.log(
    JSON.stringify({
      seconds,
      cpuSeconds,
      loss,
      rssMb,
      numAllocated,
      idleBytes,
      tensors: tf.memory().numTensors,
    }),
  );
}
