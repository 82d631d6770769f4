// Our matrix product at the shapes of a small transformer (a Linear's x·Wᵀ): sgemm.mjs THREADS, then
// one line of JSON per line. The rate is total work over total time.
import { createInterface } from "node:readline";
import { initEngine, linear, tf } from "@stagecraft/tensor";
import { SHAPES } from "./shapes.mjs";

await initEngine({ engine: "native", numThreads: Number(process.argv[2] ?? 2) });
const products = SHAPES.map(([rows, outputs, inputs]) => ({
  x: tf.randomNormal([rows, inputs]),
  weight: tf.randomNormal([outputs, inputs]),
  flops: 2 * rows * outputs * inputs,
}));

function measure() {
  const start = performance.now();
  let flops = 0;
  for (const { x, weight, flops: work } of products) {
    linear(x, weight).dispose();
    flops += work;
  }
  return flops / (performance.now() - start) / 1e6;
}

for (let i = 0; i < 5; i++) measure();
console.log("{}");
for await (const _line of createInterface({ input: process.stdin })) {
  const rates = Array.from({ length: 5 }, measure).sort((a, b) => a - b);
  console.log(JSON.stringify({ gflops: rates[2] }));
}
