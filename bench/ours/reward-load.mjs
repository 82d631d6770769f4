// Clients that ask for scores: reward-load.mjs KIND PORT CLIENTS ITEMS THINK_MS VOCAB.
//   grpc, http          a connection and one call of ITEMS items at a time for each client; it sends the next
//                       when the last was answered and it has thought for a random time of mean
//                       THINK_MS (0: at once)
//   grpc-stream         one ScoreStream for each client, ITEMS items in flight on it, sent at the same pace
//   http-each           ITEMS connections for each client, one call of one item at a time on each
// An item has 96 tokens. For each line (seconds) one line: items, seconds, and percentiles of the calls'
// (of a stream: the items') latency in ms.
import { Agent, request } from "node:http";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { reward } from "@stagecraft/contracts";
import { createRpcClient } from "@stagecraft/rpc";
import { percentile } from "../lib/stats.mjs";
import { randomIds } from "./random-ids.mjs";
import { keepStreaming } from "./reward-stream.mjs";

const LENGTH = 96;
const WARM_UP_SECONDS = 4;
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

const items = Array.from({ length: numItems }, () => [...randomIds(LENGTH, vocab)]);

/** Asks for the same scores again and again. */
const asking =
  (ask, asked) =>
  async (until, latencies, { paced }) => {
    while (performance.now() < until) {
      if (paced && thinkMs > 0) await delay(-Math.log(1 - Math.random()) * thinkMs);
      const start = performance.now();
      if ((await ask(asked)) !== asked.length) throw new Error("scores are missing");
      latencies.push(performance.now() - start);
    }
  };

/** The loops of one client, and the items of one of their answers. */
const KINDS = {
  grpc: { start: () => [asking(grpcClient(), items)], itemsPerAnswer: numItems },
  http: { start: () => [asking(httpClient(), items)], itemsPerAnswer: numItems },
  "http-each": { start: () => items.map((ids) => asking(httpClient(), [ids])), itemsPerAnswer: 1 },
  "grpc-stream": { start: () => [keepStreaming(port, items, thinkMs)], itemsPerAnswer: 1 },
};

const { start: startClient, itemsPerAnswer } = KINDS[kind];
const loops = Array.from({ length: numClients }, startClient).flat();

async function load(seconds, { paced = true } = {}) {
  const latencies = [];
  const start = performance.now();
  await Promise.all(loops.map((loop) => loop(start + seconds * 1000, latencies, { paced })));
  const elapsed = (performance.now() - start) / 1000;
  return {
    items: latencies.length * itemsPerAnswer,
    seconds: elapsed,
    p50Ms: percentile(latencies, 50),
    p99Ms: percentile(latencies, 99),
  };
}

// At full speed, so that both sides' code is compiled before it is timed, however slow the pace is then.
await load(WARM_UP_SECONDS, { paced: false });
console.log("{}");
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await load(Number(line))));
}
process.exit(0);
