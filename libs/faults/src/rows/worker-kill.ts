import { setTimeout as delay } from "node:timers/promises";
import type { FaultContext, FaultResult, FaultRow } from "../fault-row.js";
import { startPipeline } from "../world/pipeline.js";
import { Times, tooLate } from "../world/times.js";

const ACK_WAIT_MS = 1000;

/** Two workers under load; a random one dies at a random phase of its work and another is started. */
async function run(context: FaultContext): Promise<FaultResult> {
  const { random, count } = context;
  await using pipeline = await startPipeline({ context, latencyMs: 20, ackWaitMs: ACK_WAIT_MS });
  const { workers } = pipeline;
  for (const worker of workers) await worker.serving();
  const times = new Times();
  for (let i = 0; i < count; i++) {
    const victim = random.nextInt(workers.length);
    await delay(random.nextFloat() * 150);
    await workers[victim]!.kill("SIGKILL");
    workers[victim] = await pipeline.startWorker();
    times.add(await pipeline.advance(2, `after kill ${i + 1}`));
    await workers[victim].serving();
    await pipeline.check();
    context.progress(i + 1, count, `slowest ${times.max()} ms`);
  }
  await pipeline.oracle.finish();
  const limit = { limitMs: ACK_WAIT_MS + 2000, what: "work resumed", check: context.checkTimes };
  return {
    problems: [...pipeline.problems(), ...tooLate(times, limit)],
    figures: {
      kills: count,
      updates: pipeline.oracle.latestStep(),
      rollouts: pipeline.oracle.numRollouts(),
      "resumed p50 ms": times.median(),
      "resumed max ms": times.max(),
    },
  };
}

/** See `doc`. */
export const workerKill: FaultRow = {
  name: "worker-kill",
  doc: "kill -9 of rollout workers: no rollout is lost, none learnt from twice, work resumes within ack_wait + 2 s",
  counts: { full: 300, short: 4 },
  run,
  controls: [
    {
      name: "the worker acknowledges a task before it is done",
      file: "libs/bus/dist/handle-messages.js",
      find: "await handle(message);",
      replace: "await message.ack(); await handle(message);",
      count: 12,
      expect: /tasks are acknowledged without a stored rollout/,
    },
  ],
};
