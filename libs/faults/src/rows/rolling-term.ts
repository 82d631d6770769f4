import { setTimeout as delay } from "node:timers/promises";
import type { FaultContext, FaultResult, FaultRow } from "../fault-row.js";
import { startPipeline } from "../world/pipeline.js";
import { startServerPairs } from "../world/server-pairs.js";
import type { ServiceProcess } from "../world/service-process.js";

const GRACE_MS = 10_000;

/** Every server of two pairs in turn, then workers and trainer of a pipeline: SIGTERM, exit, start again. */
async function run(context: FaultContext): Promise<FaultResult> {
  const { count } = context;
  const problems: string[] = [];
  const total = 2 * count;
  const servers = await rollServers(context, problems);
  if (problems.length > 0) return { problems, figures: servers };
  await using pipeline = await startPipeline({ context, latencyMs: 30 });
  for (let i = 0; i < count; i++) {
    const at = i % (pipeline.workers.length + 1);
    const isWorker = at < pipeline.workers.length;
    const victim = isWorker ? pipeline.workers[at]! : pipeline.trainer;
    await victim.serving();
    problems.push(...(await terminate(victim)));
    if (isWorker) pipeline.workers[at] = await pipeline.startWorker();
    else pipeline.trainer = await pipeline.startTrainer();
    await pipeline.advance(1, `after ${victim.name} was replaced`);
    await pipeline.check();
    context.progress(count + i + 1, total);
  }
  await pipeline.oracle.finish();
  return {
    problems: [...problems, ...pipeline.problems()],
    figures: { terminated: total, ...servers, updates: pipeline.oracle.latestStep() },
  };
}

async function rollServers({ count, mutations, progress }: FaultContext, problems: string[]) {
  await using pairs = await startServerPairs({ graceMs: GRACE_MS, mutations });
  for (let i = 0; i < count; i++) {
    const member = pairs.members[i % pairs.members.length]!;
    problems.push(...(await terminate(member.process)));
    member.process = await member.start();
    await member.process.serving();
    progress(i + 1, 2 * count, `${pairs.numCalls()} calls`);
  }
  const failures = pairs.failures();
  if (failures.length > 0) problems.push(`${failures.length} calls failed: ${failures[0]}`);
  return { calls: pairs.numCalls(), failed: failures.length };
}

async function terminate(service: ServiceProcess): Promise<string[]> {
  service.child.kill("SIGTERM");
  const code = await Promise.race([service.exited, delay(GRACE_MS + 5000, "no exit")]);
  if (code === 0) return [];
  return [`${service.name} ended with ${code}: ${service.output().slice(-500)}`];
}

/** See `doc`. */
export const rollingTerm: FaultRow = {
  name: "rolling-term",
  doc: "rolling SIGTERM of policy, reward, rollout and trainer processes under load: no call fails, each ends with 0 within its grace",
  counts: { full: 40, short: 3 },
  run,
  controls: [
    {
      name: "nobody waits for SIGTERM",
      file: "libs/service-kit/dist/process.js",
      find: '["SIGTERM", "SIGINT"]',
      replace: '["SIGINT"]',
      count: 1,
      expect: /ended with SIGTERM/,
    },
  ],
};
