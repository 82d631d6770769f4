import { setTimeout as delay } from "node:timers/promises";
import type { FaultContext, FaultResult, FaultRow } from "../fault-row.js";
import { startServerPairs } from "../world/server-pairs.js";

/** A random one of two policy and two reward servers dies; it is back before the next one dies. */
async function run({ count, random, progress }: FaultContext): Promise<FaultResult> {
  await using pairs = await startServerPairs();
  for (let i = 0; i < count; i++) {
    const victim = random.pick(pairs.members);
    await delay(random.nextFloat() * 300);
    await victim.process.kill("SIGKILL");
    await delay(random.nextFloat() * 300);
    victim.process = await victim.start();
    await victim.process.serving();
    progress(i + 1, count, `${pairs.numCalls()} calls, ${pairs.failures().length} failed`);
  }
  const failures = pairs.failures();
  return {
    problems: failures.length === 0 ? [] : [`${failures.length} calls failed: ${failures[0]}`],
    figures: { kills: count, calls: pairs.numCalls(), failed: failures.length },
  };
}

/** See `doc`. */
export const serverKill: FaultRow = {
  name: "server-kill",
  doc: "kill -9 of a policy or reward server of two under constant load: no call fails after retries",
  counts: { full: 100, short: 2 },
  run,
  controls: [
    {
      name: "the client does not retry",
      where: "harness",
      file: "libs/rpc/dist/retry.js",
      find: "if (started || policy.maxAttempts === 1)",
      replace: "if (true)",
      count: 4,
      expect: /calls failed/,
    },
  ],
};
