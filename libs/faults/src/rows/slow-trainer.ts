import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { FaultContext, FaultResult, FaultRow, Mutation } from "../fault-row.js";
import { startPipeline, type Pipeline } from "../world/pipeline.js";

const BATCH_SIZE = 16;
const STALENESS = 2;
/** Growth that counts as flat: what a heap does between collections. */
const FLAT_MIB = 40;

/** The trainer takes ten times as long as its update needs; the workers could do far more. */
const SLOW: Mutation = {
  file: "libs/ppo/dist/stage/ppo-loop.js",
  find: "const batch = buildExperience(",
  replace: "await new Promise((r) => setTimeout(r, 400)); const batch = buildExperience(",
};

async function run(given: FaultContext): Promise<FaultResult> {
  const context = { ...given, mutations: [...given.mutations, SLOW] };
  const { count } = context;
  const config = { maxStaleness: STALENESS };
  await using pipeline = await startPipeline({
    context,
    batchSize: BATCH_SIZE,
    latencyMs: 2,
    config,
  });
  const problems: string[] = [];
  await pipeline.advance(5, "warm-up");
  const before = await memoryOf(pipeline);
  const bound = BATCH_SIZE * (STALENESS + 2);
  let ahead = 0;
  for (let i = 0; i < count; i++) {
    await delay(1000);
    const used = BATCH_SIZE * (await pipeline.oracle.pointer());
    ahead = Math.max(ahead, pipeline.servers.numAnswers() - used);
    await pipeline.check();
    context.progress(i + 1, count, `${ahead} ahead at most`);
  }
  if (ahead > bound)
    problems.push(`workers were ${ahead} rollouts ahead, the gate allows ${bound}`);
  const after = await memoryOf(pipeline);
  for (const [name, mib] of Object.entries(after)) {
    const growth = mib - (before[name] ?? mib);
    if (growth > FLAT_MIB) problems.push(`${name} grew by ${Math.round(growth)} MiB`);
  }
  await pipeline.oracle.finish();
  return {
    problems: [...problems, ...pipeline.problems()],
    figures: {
      seconds: count,
      updates: pipeline.oracle.latestStep(),
      "ahead at most": `${ahead} of ${bound}`,
      ...Object.fromEntries(
        Object.entries(after).map(([name, mib]) => [
          `${name} MiB`,
          `${Math.round(before[name] ?? 0)} → ${Math.round(mib)}`,
        ]),
      ),
    },
  };
}

async function memoryOf({ trainer, workers, nats }: Pipeline): Promise<Record<string, number>> {
  const pids = { trainer: trainer.pid, worker: workers[0]!.pid, "nats-server": nats.pid };
  const entries = Object.entries(pids).map(async ([name, pid]) => {
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    return [name, Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** See `doc`. */
export const slowTrainer: FaultRow = {
  name: "slow-trainer",
  doc: "a trainer 10 times slower than its workers (strikes are seconds): they wait, memory stays flat",
  counts: { full: 120, short: 4 },
  run,
  controls: [
    {
      name: "no staleness gate",
      file: "libs/ppo/dist/rollouts/staleness-gate.js",
      find: "version + maxStaleness",
      replace: "version + 60",
      count: 10,
      expect: /rollouts ahead|stuck/,
    },
  ],
};
