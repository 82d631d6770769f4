// Sampling and training in turns and at the same time, by the real services in one process: overlap.mjs
// THREADS. The model is small; what takes time on the sampling side is a reward source that waits, with
// places for one batch: a second batch waits for its turn, as on a policy that is full. Answers
// a line "MAX_STALENESS SAMPLE_MS UPDATES" with the seconds of such a run and the busy shares.
import { mkdtempSync, rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentReporter } from "@stagecraft/runs";
import { ppoSchema } from "@stagecraft/ppo";
import { initEngine } from "@stagecraft/tensor";
import { createEmbeddedCluster } from "../../libs/pipeline/dist/index.js";
import { SMALL } from "../lib/shapes.mjs";
import { writePpoModels } from "./ppo-models.mjs";

const BATCH = 32;
const threads = Number(process.argv[2]);
const folder = mkdtempSync(join(tmpdir(), "stagecraft-bench-overlap-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
await initEngine({ engine: "native", numThreads: threads });
const models = await writePpoModels(folder, SMALL, { promptTokens: 16, numPrompts: BATCH });

/** Waits in a place of its own; `BATCH` of them, and those who find none queue up. */
function createSimulatedSampler() {
  let free = BATCH;
  let busySlotMs = 0;
  let latencyMs = 0;
  const queue = [];
  return {
    /** A new run; returns what share of the places' time since was used. */
    begin(sampleMs) {
      latencyMs = sampleMs;
      busySlotMs = 0;
      const started = performance.now();
      return () => busySlotMs / BATCH / (performance.now() - started);
    },
    async score() {
      if (latencyMs > 0) {
        if (free > 0) free--;
        else await new Promise((resolve) => queue.push(resolve));
        const started = performance.now();
        await delay(latencyMs);
        busySlotMs += performance.now() - started;
        const next = queue.shift();
        if (next) next();
        else free++;
      }
      return { source: "simulated", version: "1", value: 0 };
    },
  };
}

const sampler = createSimulatedSampler();
const cluster = await createEmbeddedCluster({
  policyModelDir: models.policy,
  rewardModelDir: models.rewardModel,
  runDir: join(folder, "runs", "first"),
  extraRewards: [{ score: () => sampler.score() }],
});
let runs = 0;

async function run(maxStaleness, sampleMs, updates) {
  const config = ppoSchema.parse({
    policy: models.policy,
    rewardModel: models.rewardModel,
    prompts: [models.prompts],
    updates,
    promptsPerUpdate: BATCH,
    maxNewTokens: 32,
    missingEos: "keep",
    maxStaleness,
    epochs: 4,
    minibatches: 1,
    learningRate: 1e-5,
    checkpointEvery: 0,
    inspectRollouts: 0,
    engine: "native",
    threads,
  });
  let trainMs = 0;
  const metrics = (record) => (trainMs += record.kind === "update" ? record.trainMs : 0);
  const policyBusy = sampler.begin(sampleMs);
  const started = performance.now();
  await cluster.runPpo(config, {
    runDir: join(folder, "runs", `run-${runs++}`),
    resume: false,
    signal: new AbortController().signal,
    reporter: silentReporter({ metrics }),
  });
  const seconds = (performance.now() - started) / 1000;
  const trainerBusy = trainMs / 1000 / seconds;
  return { seconds, trainerBusy, policyBusy: policyBusy() };
}

await run(0, 0, 3);
console.log("{}");
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await run(...line.split(" ").map(Number))));
}
process.exit(0);
