// A reward-model server in its own process: reward-server.mjs THREADS [SHAPE(JSON)]. Prints its port, serves
// until stdin ends. With a shape it serves a random Llama as the product does, the model in a thread of
// its own. Without one the model answers the mean of the ids, so that what is measured is everything
// but the model, and items do not wait for company; they still share a batch when they come while one
// runs.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRpcServer } from "@stagecraft/rpc";
import { createRewardModelService, createThreadedScorers } from "@stagecraft/service-reward-model";
import { trainCharTokenizer } from "@stagecraft/tokenizer";

const VOCAB = 4096;
const [threads, shape] = process.argv.slice(2);

async function trivialScorer() {
  const mean = (ids) => ids.reduce((sum, id) => sum + id, 0) / ids.length / VOCAB;
  return {
    name: "trivial",
    version: "1",
    model: { config: { architecture: "llama", vocabSize: VOCAB, maxPositions: 512 }, numParams: 0 },
    tokenizer: await trainCharTokenizer(["abc"]),
    scoreMean: 0,
    scoreStd: 1,
    render: () => new Int32Array(1),
    score: (sequences) => sequences.map((ids) => ({ value: mean(ids), uncertainty: 0 })),
    dispose: () => undefined,
  };
}

/** The product's: a model directory, loaded by a worker thread. */
async function llamaScorers() {
  const folder = mkdtempSync(join(tmpdir(), "stagecraft-bench-reward-"));
  try {
    const writer = fileURLToPath(new URL("./reward-model.mjs", import.meta.url));
    execFileSync(process.execPath, [writer, folder, shape], { stdio: "pipe" });
    const { scorers } = await createThreadedScorers({
      models: [{ name: "reward", dir: join(folder, "reward") }],
      engine: { engine: "native", threads: Number(threads) },
    });
    return scorers;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const service = createRewardModelService({
  scorers: shape ? await llamaScorers() : [await trivialScorer()],
  maxBatch: 64,
  maxWaitMs: shape ? 2 : 0,
  maxQueued: 65_536,
  maxItemsPerRequest: 1024,
});
const server = createRpcServer({ limits: { maxConcurrentCalls: 4096, maxConnectionAgeMs: 3.6e6 } });
service.register(server);
const { port } = await server.start();
console.log(JSON.stringify({ port }));
process.stdin.resume().on("end", () => process.exit(0));
