import { setTimeout as delay } from "node:timers/promises";
import type { FaultContext, FaultResult, FaultRow } from "../fault-row.js";
import { startPipeline } from "../world/pipeline.js";

const ACK_WAIT_MS = 600;

/** One of two workers is stopped with tasks in hand until others have done them, then continued. */
async function run(context: FaultContext): Promise<FaultResult> {
  const { random, count } = context;
  await using pipeline = await startPipeline({ context, latencyMs: 60, ackWaitMs: ACK_WAIT_MS });
  const { workers, tap } = pipeline;
  for (const worker of workers) await worker.serving();
  for (let i = 0; i < count; i++) {
    const victim = workers[random.nextInt(workers.length)]!;
    await delay(random.nextFloat() * 150);
    await victim.kill("SIGSTOP");
    await delay(ACK_WAIT_MS * 1.5);
    await pipeline.advance(2, `while worker ${i + 1} is stopped`);
    await victim.kill("SIGCONT");
    await pipeline.advance(2, `after worker ${i + 1} continued`);
    await pipeline.check();
    context.progress(i + 1, count);
  }
  await pipeline.oracle.finish();
  const { oracle } = pipeline;
  return {
    problems: pipeline.problems(),
    figures: {
      stops: count,
      updates: oracle.latestStep(),
      rollouts: oracle.numRollouts(),
      "messages in the stream": tap.numSeen(),
    },
  };
}

/** See `doc`. */
export const workerStop: FaultRow = {
  name: "worker-stop",
  doc: "SIGSTOP of a worker past ack_wait, then SIGCONT: others do its tasks, its late results count once",
  counts: { full: 50, short: 2 },
  run,
  controls: [
    {
      name: "each delivery makes a rollout of its own, and the trainer takes any",
      file: "libs/ppo/dist/rollouts/ledger.js",
      find: "known = new Set(updates.flat());\n        },",
      replace:
        "known = new Set(updates.flat()); updates.at(-1).push(...(updates.at(-2) ?? []).slice(0, 1)); },",
      count: 1,
      expect: /learnt from twice/,
    },
  ],
};
