// Our side of the scoring benchmark: score.mjs LAYERS HEADS WIDTH INNER VOCAB BATCH LENGTH [THREADS],
// then a number of batches per line on stdin. A linear score on the last token of each sequence.
import { createInterface } from "node:readline";
import { initEngine, linear, tf } from "@stagecraft/tensor";
import { createWeights, hidden, randomIds } from "./model.mjs";

const [layers, heads, width, inner, vocab, batch, length, numThreads = 2] = process.argv
  .slice(2)
  .map(Number);
await initEngine({ engine: "native", numThreads });
const { weights, numParams } = createWeights({
  layers,
  heads,
  width,
  inner,
  vocab,
  length,
  gpt2: false,
});
const head = tf.variable(tf.randomNormal([1, width]));
const ids = randomIds(batch * length, vocab);
const last = Int32Array.from({ length: batch }, (_, b) => (b + 1) * length - 1);

function score() {
  return tf.tidy(() => {
    const states = hidden(weights, ids, { batchSize: batch, length });
    return linear(tf.gather(states, last), head).dataSync().length;
  });
}

for (let i = 0; i < 5; i++) score();
console.log(JSON.stringify({ params: numParams }));
for await (const line of createInterface({ input: process.stdin })) {
  const start = performance.now();
  const cpu = process.cpuUsage();
  for (let i = 0; i < Number(line); i++) score();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = (user + system) / 1e6;
  console.log(
    JSON.stringify({ seconds, cpuSeconds, rssMb: process.resourceUsage().maxRSS / 1024 }),
  );
}
