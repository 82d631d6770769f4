// Our side of the PPO rows: ppo.mjs LAYERS HEADS WIDTH INNER VOCAB THREADS. The real thing: policy, reward
// model, rollout worker and trainer as services of one process that talk gRPC on loopback, and the PPO
// stage on the trainer. A round is one update: 64 prompts of 32 tokens, 64 new tokens each, scores,
// reference, critic, 4 epochs of 4 minibatches, and the new weights in the policy.
//
// Updates run one by one: prompt tasks wait at a gate in the bus until the next round is asked for.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryBus } from "@stagecraft/bus";
import { silentReporter } from "@stagecraft/runs";
import { ppoSchema } from "@stagecraft/ppo";
import { initEngine } from "@stagecraft/tensor";
import { createEmbeddedCluster } from "../../libs/pipeline/dist/index.js";
import { serveRounds } from "../lib/serve.mjs";
import { writePpoModels } from "./ppo-models.mjs";

const EPISODES = 64;
const [layers, heads, width, inner, vocab, threads] = process.argv.slice(2).map(Number);
const folder = mkdtempSync(join(tmpdir(), "stagecraft-bench-ppo-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
await initEngine({ engine: "native", numThreads: threads });
const shape = { layers, heads, width, inner, vocab };
const models = await writePpoModels(folder, shape, { promptTokens: 32, numPrompts: EPISODES });

/** A bus whose prompt tasks wait until they are let through, an update's worth at a time. */
function gatedBus() {
  const bus = createMemoryBus();
  const waiting = [];
  let arrived = deferred();
  return {
    bus: {
      ...bus,
      async publish(subject, data, how) {
        if (subject.endsWith(".prompts")) {
          await new Promise((open) => {
            waiting.push(open);
            if (waiting.length === EPISODES) arrived.resolve();
          });
        }
        return bus.publish(subject, data, how);
      },
      // The gate is a part of the queue: otherwise the trainer takes its tasks for lost during the peer's
      // turn, asks them again, and all of them are answered twice.
      async consumerInfo(spec) {
        const info = await bus.consumerInfo(spec);
        return { ...info, pending: info.pending + waiting.length };
      },
    },
    /** Resolves when the tasks of an update wait at the gate. */
    arrived: () => arrived.promise,
    open() {
      arrived = deferred();
      for (const open of waiting.splice(0)) open();
    },
  };
}

function deferred() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}

const gate = gatedBus();
const cluster = await createEmbeddedCluster({
  policyModelDir: models.policy,
  rewardModelDir: models.rewardModel,
  runDir: join(folder, "run"),
  bus: gate.bus,
});
const config = ppoSchema.parse({
  policy: models.policy,
  rewardModel: models.rewardModel,
  prompts: [models.prompts],
  updates: 100_000,
  promptsPerUpdate: EPISODES,
  maxNewTokens: 64,
  missingEos: "keep",
  epochs: 4,
  minibatches: 4,
  learningRate: 1e-5,
  schedule: "constant",
  maxTokensPerPass: 768, // half a minibatch: less memory, the same result
  checkpointEvery: 0, // the peer writes none
  engine: "native",
  threads,
});
let last = {};
const reporter = silentReporter({
  metrics: (record) => record.kind === "update" && (last = record),
});
const signal = new AbortController().signal;
const run = cluster.runPpo(config, {
  runDir: join(folder, "run"),
  resume: false,
  signal,
  reporter,
});
const failed = run.then(() => {
  throw new Error("the run ended by itself");
});
await Promise.race([gate.arrived(), failed]);

async function update() {
  gate.open();
  await Promise.race([gate.arrived(), failed]);
  const { trainMs, responseLength, kl, score } = last;
  return { trainMs, responseLength, kl, score };
}

await serveRounds(update, { warmups: 2 });
