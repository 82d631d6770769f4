// Our side of the generation rows:
//   generate.mjs LAYERS HEADS WIDTH INNER VOCAB BATCH THREADS [decode]
// A round is `generate()` on prompts of 32 random tokens, 64 sampled tokens each, temperature 1. With
// `decode` the prompts are not in the measured time: 64 steps after the one that reads them.
import { createGenerationEngine, createModel, generate, presetConfig } from "@stagecraft/model";
import { createInterface } from "node:readline";
import { startEngine } from "../lib/engine.mjs";
import { serveRounds } from "../lib/serve.mjs";
import { randomIds } from "./random-ids.mjs";

const PROMPT = 32;
const NEW = 64;
const [numLayers, numHeads, hiddenSize, intermediateSize, vocabSize, batch, numThreads] =
  process.argv.slice(2, 9).map(Number);
await startEngine(numThreads);
const config = presetConfig("llama", {
  numLayers,
  numHeads,
  hiddenSize,
  intermediateSize,
  vocabSize,
  maxPositions: 512,
  tieEmbeddings: true,
});
const model = createModel(config, { heads: ["lm"], seed: 0 });
const facts = { params: model.numParams };
const prompts = () => Array.from({ length: batch }, () => randomIds(PROMPT, vocabSize));
const seed = () => Math.floor(Math.random() * 2 ** 31);

async function wholeAnswers() {
  const params = { temperature: 1, maxNewTokens: NEW, seed: seed() };
  const answers = await generate(model, prompts(), params, { batchSize: batch });
  if (answers.some(({ ids }) => ids.length !== NEW)) throw new Error("an answer is too short");
}

/** Seconds of the prompts with the first token, and of the 64 tokens after it, of these processor seconds too. */
async function decodedAnswers() {
  const engine = createGenerationEngine(model, {
    maxSequences: batch,
    maxLength: PROMPT + NEW + 1,
    maxPrefillTokens: batch * PROMPT,
  });
  const params = { temperature: 1, maxNewTokens: NEW + 1, seed: seed() };
  const given = prompts();
  const start = performance.now();
  for (const promptIds of given) engine.add({ promptIds, params });
  await engine.step();
  const between = performance.now();
  const cpu = process.cpuUsage();
  while (engine.numActive > 0) await engine.step();
  const end = performance.now();
  const decodeCpuSeconds = cpuSecondsSince(cpu);
  engine.close();
  const [promptSeconds, seconds] = [(between - start) / 1000, (end - between) / 1000];
  return { promptSeconds, seconds, decodeCpuSeconds };
}

function cpuSecondsSince(start) {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

async function serveDecoding() {
  for (let i = 0; i < 3; i++) await decodedAnswers();
  console.log(JSON.stringify(facts));
  for await (const line of createInterface({ input: process.stdin })) {
    const sums = { seconds: 0, promptSeconds: 0, decodeCpuSeconds: 0 };
    const cpu = process.cpuUsage();
    for (let i = 0; i < Number(line); i++) {
      const answers = await decodedAnswers();
      for (const name of Object.keys(sums)) sums[name] += answers[name];
    }
    console.log(JSON.stringify({ ...sums, cpuSeconds: cpuSecondsSince(cpu) }));
  }
  process.exit(0);
}

await (process.argv[9] === "decode" ? serveDecoding() : serveRounds(wholeAnswers, { facts }));
