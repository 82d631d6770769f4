// Rollout workers, several in one process: rollout-host.mjs HOST NATS_URL DEPLOYMENT ADDRESS. Each has a connection
// to the bus and clients of its own, as if it were alone. A line "COUNT CONCURRENCY" makes so many run,
// each with so many tasks in flight.
import { createInterface } from "node:readline";
import { createJetStreamBus, deploymentTopology } from "@stagecraft/bus";
import { openRolloutService } from "@stagecraft/service-rollout";

const [host, natsUrl, deployment, address] = process.argv.slice(2);
let running = [];

async function startWorker(index, concurrency) {
  const bus = await createJetStreamBus({ servers: [natsUrl], name: "rollout" });
  const service = await openRolloutService({
    workerId: `${host}-${index}`,
    bus,
    topology: deploymentTopology(deployment),
    policyAddress: address,
    rewards: [{ address, model: "", weight: 1 }],
    concurrency,
    generateTimeoutMs: 60_000,
    scoreTimeoutMs: 60_000,
    connectTimeoutMs: 10_000,
  });
  return async () => {
    await service.close();
    await bus.close();
  };
}

async function resize(count, concurrency) {
  await Promise.all(running.map((stop) => stop()));
  const starting = Array.from({ length: count }, (_, index) => startWorker(index, concurrency));
  running = await Promise.all(starting);
}

console.log("{}");
for await (const line of createInterface({ input: process.stdin })) {
  const [count, concurrency] = line.split(" ").map(Number);
  await resize(count, concurrency);
  console.log(JSON.stringify({ count }));
}
process.exit(0);
