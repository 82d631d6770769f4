import { rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { ensureTopology } from "@stagecraft/bus";
import { health } from "@stagecraft/contracts";
import { createRpcClient } from "@stagecraft/rpc";
import { waitFor } from "@stagecraft/testing";
import type { FaultContext, FaultResult, FaultRow } from "../fault-row.js";
import { startPipeline, type Pipeline } from "../world/pipeline.js";
import { Times } from "../world/times.js";

/** The broker dies, its disk is gone, and it is started again with nothing. */
async function loseStore({ nats }: Pipeline): Promise<void> {
  await nats.kill();
  await rm(nats.storeDir, { recursive: true, force: true });
  await nats.restart();
}

/** Strikes one pipeline; resolves with the times until the next update was committed. */
async function strike(
  context: FaultContext,
  { count, secured, onStruck }: { count: number; secured: boolean; onStruck(): void },
): Promise<{ times: Times; problems: string[] }> {
  await using pipeline = await startPipeline({ context, brokerDies: true, secured });
  const times = new Times();
  const client = createRpcClient(
    { service: health.HealthService },
    await pipeline.trainer.serving(),
  );
  const isServing = async () =>
    (await client.check({ service: "" })).status ===
    health.HealthCheckResponse_ServingStatus.SERVING;
  try {
    for (let i = 0; i < count; i++) {
      await delay(context.random.nextFloat() * 400);
      const lostAt = performance.now();
      await loseStore(pipeline);
      if (secured) {
        // The trainer may not create streams: it says so until somebody comes who may.
        const { patienceMs: timeoutMs } = context;
        const what = "the trainer to be NOT_SERVING without its streams";
        await pipeline.explained(waitFor(async () => !(await isServing()), { timeoutMs, what }));
        await ensureTopology(pipeline.bus, pipeline.topology);
      }
      // More than what was on its way already can give.
      await pipeline.advance(3, `after loss ${i + 1}${secured ? " with users" : ""}`);
      await pipeline.explained(
        waitFor(isServing, { timeoutMs: context.patienceMs, what: "the trainer to be SERVING" }),
      );
      times.add(performance.now() - lostAt);
      await pipeline.check();
      onStruck();
    }
  } finally {
    client.close();
  }
  await pipeline.oracle.finish();
  return { times, problems: [...new Set(pipeline.oracle.problems)] };
}

async function run(context: FaultContext): Promise<FaultResult> {
  const { count } = context;
  let done = 0;
  const onStruck = () => context.progress(++done, count);
  const open = await strike(context, { count: Math.ceil(count / 2), secured: false, onStruck });
  const secured = await strike(context, { count: Math.floor(count / 2), secured: true, onStruck });
  return {
    problems: [...open.problems, ...secured.problems],
    figures: {
      losses: count,
      "again p50 ms": open.times.median(),
      "again max ms": open.times.max(),
      "again p50 ms, with users": secured.times.median(),
      "again max ms, with users": secured.times.max(),
    },
  };
}

/** See `doc`. */
export const storeLost: FaultRow = {
  name: "store-lost",
  doc: "nats-server starts again with an empty store: streams come back by who may create them, tasks are asked again; without that right the trainer is NOT_SERVING until an admin has set them up",
  counts: { full: 100, short: 2 },
  run,
  controls: [
    {
      name: "nobody looks whether the streams are there",
      file: "libs/bus/dist/topology-watch.js",
      find: "const timer = setInterval(() => void look(), everyMs);",
      replace: "const timer = setInterval(() => undefined, everyMs);",
      count: 1,
      expect: /stuck after loss 1/,
    },
  ],
};
