// The trainer's side of the bus without training: rollout-driver.mjs NATS_URL DEPLOYMENT BACKLOG. Keeps BACKLOG
// prompt tasks asked for and unanswered, consumes and acks the rollouts. A line (seconds) is answered
// with rollouts/s: `rate` is the sum of what each worker did between its first and last rollout of that
// time, so that workers in step with each other do not distort it; `throughput` counts them all, for
// loads where the arrivals are many.
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { createJetStreamBus, ensureTopology } from "@stagecraft/bus";
import { decodeMessage, events, parseRollout, toTokens } from "@stagecraft/contracts";

const [natsUrl, deployment, backlog] = process.argv.slice(2);
const bus = await createJetStreamBus({ servers: [natsUrl], name: "driver" });
const topology = await ensureTopology(bus, deployment);
const consumer = await bus.consume(topology.rolloutsConsumer);
const promptIds = Int32Array.from({ length: 32 }, (_, i) => 10 + i);
let published = 0;
let received = 0;
let wake = () => {};
let seen = new Map();

async function publishTask(number) {
  const taskId = `t${number}`;
  const task = events.PromptTask.fromPartial({
    taskId,
    runId: deployment,
    promptId: `p${number % 64}`,
    prompt: toTokens(promptIds),
    sampling: { maxNewTokens: 64, temperature: 1, seed: BigInt(number) },
    createdAt: new Date(),
    attempt: 1,
  });
  const bytes = events.PromptTask.encode(task).finish();
  await bus.publish(topology.subjects.prompts, bytes, { id: taskId });
}

async function keepAsking() {
  for (;;) {
    const missing = Number(backlog) - (published - received);
    if (missing > 0) {
      const first = published;
      published += missing;
      await Promise.all(Array.from({ length: missing }, (_, i) => publishTask(first + i)));
    } else {
      await new Promise((resolve) => (wake = resolve));
    }
  }
}

async function take(message) {
  const rollout = parseRollout(decodeMessage(events.Rollout, message.data, "rollout"));
  const now = performance.now();
  const times = seen.get(rollout.workerId) ?? { first: now, count: 0 };
  seen.set(rollout.workerId, { ...times, last: now, count: times.count + 1 });
  received++;
  wake();
  await message.ack();
}

async function keepTaking() {
  for await (const message of consumer) void take(message).catch(fail);
}

function fail(error) {
  console.error(error.stack);
  process.exit(1);
}

function rate() {
  const rates = [...seen.values()].map(({ first, last, count }) =>
    count > 1 ? (1000 * (count - 1)) / (last - first) : 0,
  );
  return rates.reduce((sum, value) => sum + value, 0);
}

keepAsking().catch(fail);
keepTaking().catch(fail);
console.log("{}");
for await (const line of createInterface({ input: process.stdin })) {
  seen = new Map();
  const [before, started] = [received, performance.now()];
  await delay(1000 * Number(line));
  const throughput = (1000 * (received - before)) / (performance.now() - started);
  console.log(JSON.stringify({ rate: rate(), throughput, workers: seen.size }));
}
process.exit(0);
