// Our side of the generation benchmark: decode.mjs LAYERS HEADS WIDTH INNER VOCAB BATCH [THREADS],
// then a number of runs per line on stdin. A run: 32-token prompts, 64 sampled tokens, temperature 1.
import { createInterface } from "node:readline";
import { createNativeDecoder, initEngine } from "@stagecraft/tensor";
import { createWeights, randomIds } from "./model.mjs";

const PROMPT = 32;
const NEW = 64;
const [layers, heads, width, inner, vocab, batch, numThreads = 2] = process.argv
  .slice(2)
  .map(Number);
await initEngine({ engine: "native", numThreads });
const shape = { layers, heads, width, inner, vocab, length: PROMPT + NEW, gpt2: false };
const { weights, numParams } = createWeights(shape);
const decoder = createNativeDecoder(weights, { maxSequences: batch, maxLength: PROMPT + NEW });
const temperatures = new Float32Array(batch).fill(1);

function generate() {
  let rows = Array.from({ length: batch }, (_, slot) => ({ slot, ids: randomIds(PROMPT, vocab) }));
  for (const { slot } of rows) decoder.reset(slot);
  for (let i = 0; i < NEW; i++) {
    const uniforms = Float32Array.from(rows, () => Math.random());
    const { ids } = decoder.step(rows, { temperatures, uniforms });
    rows = rows.map(({ slot }, at) => ({ slot, ids: ids.subarray(at, at + 1) }));
  }
}

for (let i = 0; i < 5; i++) generate();
console.log(JSON.stringify({ params: numParams }));
for await (const line of createInterface({ input: process.stdin })) {
  const start = performance.now();
  const cpu = process.cpuUsage();
  for (let i = 0; i < Number(line); i++) generate();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = (user + system) / 1e6;
  console.log(
    JSON.stringify({ seconds, cpuSeconds, rssMb: process.resourceUsage().maxRSS / 1024 }),
  );
}
