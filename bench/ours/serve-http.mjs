// The API over HTTP against the bare engine, in turns in every round:
//   serve-http.mjs LAYERS HEADS WIDTH INNER STREAMS THREADS
// `stagecraft serve` is a process of its own, the bare engine and the HTTP clients are in this one. A round
// is, on both sides, STREAMS answers of 64 tokens to prompts of 32 random ids, streamed over HTTP, then
// some calls of one token, one after the other.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createGenerationEngine, createModel, presetConfig, saveModel } from "@stagecraft/model";
import { initEngine } from "@stagecraft/tensor";
import { trainBpe } from "@stagecraft/tokenizer";
import { randomIds } from "./random-ids.mjs";

const [PROMPT, NEW, CALLS] = [32, 64, 40];
const [numLayers, numHeads, hiddenSize, intermediateSize, streams, numThreads] = process.argv
  .slice(2, 8)
  .map(Number);
await initEngine({ engine: "native", numThreads });
const folder = mkdtempSync(join(tmpdir(), "stagecraft-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

// Every row of the table is a token, as in trained models: padded tables are sampled more slowly.
const letters = "abcdefghijklmnopqrstuvwxyz";
const word = () => Array.from(randomIds(5, letters.length), (i) => letters[i]).join("");
const text = Array.from({ length: 40_000 }, word).join(" ");
const tokenizer = await trainBpe([text], { vocabSize: 4096 });
const { vocabSize } = tokenizer;
const sizes = { numLayers, numHeads, hiddenSize, intermediateSize, vocabSize };
const config = presetConfig("llama", { ...sizes, maxPositions: 512, tieEmbeddings: true });
const model = createModel(config, { heads: ["lm"], seed: 0 });
await saveModel(folder, model, { tokenizerFiles: tokenizer.files() });
const server = await startServer();
const agent = new Agent({ keepAlive: true, maxSockets: streams });

function startServer() {
  const bin = fileURLToPath(new URL("../../libs/cli/bin/stagecraft.mjs", import.meta.url));
  const flags = ["--port", "0", "--name", "m", "--threads", String(numThreads), "--json"];
  const child = spawn(process.execPath, [bin, "serve", folder, ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.on("exit", () => child.kill());
  const lines = createInterface({ input: child.stdout });
  return new Promise((resolve, reject) => {
    lines.once("line", (line) => resolve(JSON.parse(line)));
    child.once("close", () => reject(new Error("serve ended")));
  });
}

/** One call; when its first byte and its end came, and how many tokens it says it made. */
function call(numTokens, stream) {
  const prompt = Array.from(randomIds(PROMPT, vocabSize));
  const more = stream ? { stream, stream_options: { include_usage: true } } : {};
  const body = JSON.stringify({ model: "m", prompt, max_tokens: numTokens, ...more });
  const { hostname, port } = new URL(server.url);
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  const where = { agent, hostname, port, method: "POST", path: "/v1/completions", headers };
  return new Promise((resolve, reject) => {
    const sent = request(where, (response) => {
      let [first, last] = [0, ""];
      response.setEncoding("latin1").on("data", (part) => {
        first ||= performance.now();
        last = (last + part).slice(-600);
      });
      response.on("end", () => {
        const made = /"completion_tokens":(\d+)/.exec(last);
        if (response.statusCode !== 200 || !made) return reject(new Error(last));
        resolve({ first, made: Number(made[1]) });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function overHttp() {
  const start = performance.now();
  const calls = await Promise.all(Array.from({ length: streams }, () => call(NEW, true)));
  const seconds = (performance.now() - start) / 1000;
  const firstMs = median(calls.map(({ first }) => first - start));
  const tokens = calls.reduce((sum, { made }) => sum + made, 0);
  const singles = [];
  for (let i = 0; i < CALLS; i++) {
    const since = performance.now();
    await call(1, false);
    singles.push(performance.now() - since);
  }
  return { tokensPerSecond: tokens / seconds, firstMs, oneMs: median(singles) };
}

/** Reads a burst as one, as the server does. */
const engineOf = (maxSequences) =>
  createGenerationEngine(model, { maxSequences, tokenizer, maxPrefillTokens: 2048 });

async function bare() {
  const engine = engineOf(Math.max(64, streams));
  const seed = () => Math.floor(Math.random() * 2 ** 31);
  const add = (maxNewTokens) =>
    engine.add({ promptIds: randomIds(PROMPT, vocabSize), params: { maxNewTokens, seed: seed() } });
  const start = performance.now();
  for (let i = 0; i < streams; i++) add(NEW);
  let [tokens, firstMs] = [0, 0];
  while (engine.numActive + engine.numWaiting > 0) {
    tokens += (await engine.step()).length;
    firstMs ||= performance.now() - start;
  }
  const seconds = (performance.now() - start) / 1000;
  const singles = [];
  for (let i = 0; i < CALLS; i++) {
    const since = performance.now();
    add(1);
    while (engine.numActive + engine.numWaiting > 0) await engine.step();
    singles.push(performance.now() - since);
  }
  engine.close();
  return { tokensPerSecond: tokens / seconds, firstMs, oneMs: median(singles) };
}

for (let i = 0; i < 2; i++) {
  await overHttp();
  await bare();
}
console.log(JSON.stringify({ params: model.numParams, vocabSize }));
let round = 0;
for await (const _ of createInterface({ input: process.stdin })) {
  const order = round++ % 2 === 0 ? [overHttp, bare] : [bare, overHttp];
  const results = new Map();
  for (const side of order) results.set(side, await side());
  console.log(JSON.stringify({ http: results.get(overHttp), bare: results.get(bare) }));
}
process.exit(0);
