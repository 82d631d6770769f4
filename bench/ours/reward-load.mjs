// Clients that ask for scores: reward-load.mjs grpc|http PORT CLIENTS ITEMS THINK_MS VOCAB. Every client has a
// connection of its own and sends its next call when the last was answered and it has thought for a
// random time of mean THINK_MS (0: at once). An item has 96 tokens. For each line (seconds) one line:
// items, seconds, and percentiles of the calls' latency in ms.
import { Agent, request } from "node:http";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { reward } from "@stagecraft/contracts";
import { createRpcClient } from "@stagecraft/rpc";
import { percentile } from "../lib/stats.mjs";
import { randomIds } from "./random-ids.mjs";

const LENGTH = 96;
const kind = process.argv[2];
const [port, numClients, numItems, thinkMs, vocab] = process.argv.slice(3).map(Number);

function grpcClient() {
  const client = createRpcClient(reward.RewardServiceClient, `127.0.0.1:${port}`);
  const truncation = reward.TruncationPolicy.REFUSE;
  return async (items) => {
    const inputs = items.map((ids) => ({ input: { $case: "tokens", value: { ids } } }));
    const { scores } = await client.scoreBatch({ model: undefined, items: inputs, truncation });
    return scores.length;
  };
}

function httpClient() {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return async (items) => JSON.parse(await post(agent, JSON.stringify({ items }))).scores.length;
}

function post(agent, body) {
  return new Promise((resolve, reject) => {
    const headers = {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    };
    const options = { agent, host: "127.0.0.1", port, path: "/score", method: "POST", headers };
    const call = request(options, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve(Buffer.concat(chunks).toString()));
      response.on("error", reject);
    });
    call.on("error", reject);
    call.end(body);
  });
}

const clients = Array.from({ length: numClients }, kind === "grpc" ? grpcClient : httpClient);
const items = Array.from({ length: numItems }, () => [...randomIds(LENGTH, vocab)]);

async function keepAsking(ask, until, latencies) {
  while (performance.now() < until) {
    if (thinkMs > 0) await delay(-Math.log(1 - Math.random()) * thinkMs);
    const start = performance.now();
    if ((await ask(items)) !== numItems) throw new Error("scores are missing");
    latencies.push(performance.now() - start);
  }
}

async function load(seconds) {
  const latencies = [];
  const start = performance.now();
  await Promise.all(clients.map((ask) => keepAsking(ask, start + seconds * 1000, latencies)));
  const elapsed = (performance.now() - start) / 1000;
  return {
    items: latencies.length * numItems,
    seconds: elapsed,
    p50Ms: percentile(latencies, 50),
    p99Ms: percentile(latencies, 99),
  };
}

await load(1);
console.log("{}");
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await load(Number(line))));
}
process.exit(0);
