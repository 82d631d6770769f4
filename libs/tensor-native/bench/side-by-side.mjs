// What sharing a machine costs: several processes that generate at the same time against one alone.
//
//   node libs/tensor-native/bench/side-by-side.mjs [--processes 2] [--seconds 5] [--batch 16]
//
// Every process uses the default number of threads. Prints tokens/s alone and together, and the sum
// together as a share of one alone. Build first (`npm run setup`).
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createDecoder, engineInfo, initEngine, plainRope, tf } from "@stagecraft/tensor";

const [PROMPT, NEW] = [32, 64];

/** Llama-like weights of the given sizes, values of no meaning. */
function createWeights({ layers, width, inner, vocab, heads }) {
  const matrix = (rows, columns) => tf.variable(tf.randomNormal([rows, columns], 0, 0.02));
  const linear = (rows, columns) => ({ weight: matrix(rows, columns) });
  const norm = () => ({ weight: tf.variable(tf.ones([width])) });
  const embedding = matrix(vocab, width);
  const rope = plainRope(1e4, width / heads / 2);
  const layer = () => ({
    rope,
    attention: {
      norm: norm(),
      ...Object.fromEntries(["q", "k", "v", "o"].map((name) => [name, linear(width, width)])),
    },
    mlp: {
      norm: norm(),
      gate: linear(inner, width),
      up: linear(inner, width),
      down: linear(width, inner),
    },
  });
  const norms = { norm: "rms", normEps: 1e-5 };
  return {
    embedding,
    layers: Array.from({ length: layers }, layer),
    finalNorm: norm(),
    lm: embedding,
    attentionOptions: { ...norms, numHeads: heads, numKvHeads: heads },
    mlpOptions: { ...norms, activation: "swiglu" },
  };
}

/** Tokens per second over `seconds`. */
function generate({ decoder, batch, vocab, seconds }) {
  const temperatures = new Float32Array(batch).fill(1);
  const randomIds = (size) => Int32Array.from({ length: size }, () => Math.random() * vocab);
  const start = performance.now();
  let numTokens = 0;
  while (performance.now() - start < seconds * 1000) {
    let rows = Array.from({ length: batch }, (_, slot) => ({ slot, ids: randomIds(PROMPT) }));
    for (const { slot } of rows) decoder.reset(slot);
    for (let i = 0; i < NEW; i++) {
      const uniforms = Float32Array.from(rows, () => Math.random());
      const { ids } = decoder.step(rows, { temperatures, uniforms });
      rows = rows.map(({ slot }, at) => ({ slot, ids: ids.subarray(at, at + 1) }));
    }
    numTokens += NEW * batch;
  }
  return (1000 * numTokens) / (performance.now() - start);
}

async function work({ batch, size }) {
  await initEngine({ engine: "native" });
  const options = { maxSequences: batch, maxLength: PROMPT + NEW };
  const decoder = createDecoder(createWeights(size), options);
  generate({ decoder, batch, vocab: size.vocab, seconds: 1 });
  process.on("message", (seconds) => {
    process.send(generate({ decoder, batch, vocab: size.vocab, seconds }));
  });
  process.send({ numThreads: engineInfo().numThreads });
}

const answer = (child) => new Promise((resolve) => child.once("message", resolve));
const SIZES = {
  small: { layers: 4, heads: 4, width: 128, inner: 512, vocab: 1024 },
  base: { layers: 6, heads: 6, width: 384, inner: 1536, vocab: 4096 },
};

async function compare(name, { processes, seconds, batch }) {
  const args = ["worker", JSON.stringify({ batch, size: SIZES[name] })];
  const children = Array.from({ length: processes }, () =>
    fork(fileURLToPath(import.meta.url), args),
  );
  const [{ numThreads }] = await Promise.all(children.map(answer));
  const measure = (some) => Promise.all(some.map((child) => (child.send(seconds), answer(child))));
  const [alone] = await measure(children.slice(0, 1));
  const together = await measure(children);
  children.forEach((child) => child.disconnect());
  const sum = together.reduce((total, rate) => total + rate, 0);
  const rates = together.map(Math.round).join(" + ");
  console.log(
    `${name}, batch ${batch}, ${numThreads} threads each: alone ${Math.round(alone)} tokens/s, ` +
      `together ${rates} = ${(sum / alone).toFixed(2)} of one alone`,
  );
}

if (process.argv[2] === "worker") {
  await work(JSON.parse(process.argv[3]));
} else {
  const { values } = parseArgs({
    options: {
      processes: { type: "string", default: "2" },
      seconds: { type: "string", default: "5" },
      batch: { type: "string", default: "16" },
    },
  });
  const numbers = Object.fromEntries(Object.entries(values).map(([k, v]) => [k, Number(v)]));
  for (const name of Object.keys(SIZES)) await compare(name, numbers);
}
