// The API over HTTP against the bare engine, in turns in every round:
//   serve-http.mjs LAYERS HEADS WIDTH INNER STREAMS THREADS
// `stagecraft serve` and the HTTP clients (stream-clients.mjs) are processes of their own, the bare engine is
// in this one. A round is, on both sides, four times STREAMS answers of 64 tokens to prompts of 32 random ids,
// one burst after the other, streamed over HTTP, then some calls of one token, one after the other. What the way
// costs is told beside the time: processor time of the server's main thread, which does all but the model, and
// of the clients.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createGenerationEngine, createModel, presetConfig, saveModel } from "@stagecraft/model";
import { setV8ForServing } from "@stagecraft/service-kit";
import { initEngine } from "@stagecraft/tensor";
import { trainBpe } from "@stagecraft/tokenizer";
import { randomIds } from "./random-ids.mjs";

const [PROMPT, NEW, BURSTS, CALLS] = [32, 64, 4, 40];
const STREAMED = { stream: true, stream_options: { include_usage: true } };
const [numLayers, numHeads, hiddenSize, intermediateSize, streams, numThreads] = process.argv
  .slice(2, 8)
  .map(Number);
setV8ForServing(); // as the server does
await initEngine({ engine: "native", numThreads });
const folder = mkdtempSync(join(tmpdir(), "stagecraft-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
process.once("SIGTERM", () => process.exit()); // else nobody ends server and clients

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
const clients = startClients();

function startServer() {
  const bin = fileURLToPath(new URL("../../libs/cli/bin/stagecraft.mjs", import.meta.url));
  const flags = ["--port", "0", "--name", "m", "--threads", String(numThreads), "--json"];
  const child = spawn(process.execPath, [bin, "serve", folder, ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.on("exit", () => child.kill());
  const lines = createInterface({ input: child.stdout });
  return new Promise((resolve, reject) => {
    lines.once("line", (line) => resolve({ ...JSON.parse(line), pid: child.pid }));
    child.once("close", () => reject(new Error("serve ended")));
  });
}

/** Asks for so many tokens in as many calls at once; see stream-clients.mjs for the answer. */
function startClients() {
  const program = fileURLToPath(new URL("stream-clients.mjs", import.meta.url));
  const child = spawn(process.execPath, [program, server.url, String(streams)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  process.on("exit", () => child.kill());
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async (numCalls, numTokens, more = {}) => {
    const bodyOf = () => {
      const prompt = Array.from(randomIds(PROMPT, vocabSize));
      return { model: "m", prompt, max_tokens: numTokens, ...more };
    };
    child.stdin.write(`${JSON.stringify(Array.from({ length: numCalls }, bodyOf))}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error("the clients ended");
    return JSON.parse(value);
  };
}

/** Processor time of the server's main thread so far, µs; undefined where there is no /proc. */
function mainThreadUs() {
  try {
    const { pid } = server;
    return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, "utf8").split(" ")[0]) / 1000;
  } catch {
    return undefined;
  }
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function overHttp() {
  const usBefore = mainThreadUs();
  const firstMs = [];
  let [tokens, ms, cpuMs] = [0, 0, 0];
  for (let i = 0; i < BURSTS; i++) {
    const burst = await clients(streams, NEW, STREAMED);
    firstMs.push(...burst.firstMs);
    tokens += burst.made.reduce((sum, each) => sum + each, 0);
    ms += burst.ms;
    cpuMs += burst.cpuMs;
  }
  const serverUs = usBefore === undefined ? undefined : (mainThreadUs() - usBefore) / tokens;
  const singles = [];
  for (let i = 0; i < CALLS; i++) singles.push((await clients(1, 1)).ms);
  return {
    ...{ tokensPerSecond: (1000 * tokens) / ms, firstMs: median(firstMs) },
    ...{ oneMs: median(singles), serverUs, clientUs: (1000 * cpuMs) / tokens },
  };
}

/** Reads a burst as one, as the server does. */
const engineOf = (maxSequences) =>
  createGenerationEngine(model, { maxSequences, tokenizer, maxPrefillTokens: 2048 });

async function bare() {
  const engine = engineOf(Math.max(64, streams));
  const seed = () => Math.floor(Math.random() * 2 ** 31);
  const add = (maxNewTokens) =>
    engine.add({ promptIds: randomIds(PROMPT, vocabSize), params: { maxNewTokens, seed: seed() } });
  const firsts = [];
  let [tokens, ms] = [0, 0];
  for (let burst = 0; burst < BURSTS; burst++) {
    const start = performance.now();
    for (let i = 0; i < streams; i++) add(NEW);
    tokens += (await engine.step()).length;
    firsts.push(performance.now() - start);
    while (engine.numActive + engine.numWaiting > 0) tokens += (await engine.step()).length;
    ms += performance.now() - start;
  }
  const singles = [];
  for (let i = 0; i < CALLS; i++) {
    const since = performance.now();
    add(1);
    while (engine.numActive + engine.numWaiting > 0) await engine.step();
    singles.push(performance.now() - since);
  }
  engine.close();
  return {
    ...{ tokensPerSecond: (1000 * tokens) / ms, firstMs: median(firsts) },
    oneMs: median(singles),
  };
}

// A server that has served for a while: V8 optimises its code over the first thousands of requests, in threads
// that take processor time from the engine's.
for (let i = 0; i < 150; i++) await clients(streams, 1, i % 2 === 0 ? {} : STREAMED);
for (let i = 0; i < 12; i++) {
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
