import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { EventBus } from "@stagecraft/bus";
import type { FaultContext, FaultResult, FaultRow } from "../fault-row.js";
import { startPipeline } from "../world/pipeline.js";
import { Times, tooLate } from "../world/times.js";

/** As the trainer keeps of what it has settled. */
const KEEP_SETTLED = 1024;

/** Messages of our own beside the pipeline's: what was acknowledged to us must come out. */
async function startOwnTraffic(bus: EventBus) {
  const stream = "OWN";
  const subject = "own.traffic";
  await bus.ensureStream({
    name: stream,
    subjects: [subject],
    retention: "limits",
    discard: "new",
    maxBytes: 256 * 1024 * 1024,
  });
  const spec = { stream, durable: "reader", ackWaitMs: 1000, maxDeliver: Infinity, prefetch: 64 };
  await bus.ensureConsumer(spec);
  const stored = new Set<string>();
  const delivered = new Map<string, number>();
  const stop = new AbortController();
  const consumer = await bus.consume(spec);
  let redelivered = 0;
  const reading = (async () => {
    for await (const message of consumer) {
      if (delivered.has(message.id)) redelivered++;
      delivered.set(message.id, (delivered.get(message.id) ?? 0) + 1);
      await message.ack().catch(() => undefined);
    }
  })();
  const writing = (async () => {
    while (!stop.signal.aborted) {
      const id = randomUUID();
      await bus.publish(subject, Buffer.from(id), { id, timeoutMs: 60_000 });
      stored.add(id);
      await delay(2);
    }
  })();
  let failure: string | undefined;
  writing.catch((error: unknown) => (failure = String(error)));
  return {
    stored,
    failure: () => failure,
    delivered,
    redelivered: () => redelivered,
    /**
     * A broker that dies while it writes how far a consumer is delivers the whole stream again, so a
     * stream that nobody trims comes back ever more slowly. Only what is settled goes.
     */
    trim: () => bus.trimSettled(spec, KEEP_SETTLED),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.allSettled([writing, consumer.close()]);
    },
    async finish() {
      stop.abort();
      await writing.catch(() => undefined);
      for (let i = 0; i < 200 && [...stored].some((id) => !delivered.has(id)); i++) await delay(50);
      await consumer.close();
      await reading;
    },
  };
}

/** The broker dies at random moments of a busy pipeline and is started again at once. */
async function run(context: FaultContext): Promise<FaultResult> {
  const { random, count } = context;
  await using pipeline = await startPipeline({ context, brokerDies: true });
  await using traffic = await startOwnTraffic(pipeline.bus);
  const times = new Times();
  let mostAgain = 0;
  for (let i = 0; i < count; i++) {
    await delay(random.nextFloat() * 400);
    const redeliveredBefore = traffic.redelivered();
    await pipeline.nats.kill();
    await pipeline.nats.restart();
    const restartedAt = performance.now();
    const before = traffic.delivered.size;
    const isAgain = () => traffic.delivered.size > before || traffic.failure() !== undefined;
    while (!isAgain() && performance.now() - restartedAt < 60_000) await delay(5);
    if (traffic.failure() !== undefined) break;
    times.add(performance.now() - restartedAt);
    if (i % 10 === 9 || i === count - 1) await pipeline.advance(1, `after kill ${i + 1}`);
    await traffic.trim().catch(() => undefined); // as good next time
    // The run keeps 100 checkpoints, and every one must have been seen.
    await pipeline.check();
    const again = traffic.redelivered() - redeliveredBefore;
    mostAgain = Math.max(mostAgain, again);
    context.progress(i + 1, count, `${traffic.stored.size} stored, slowest ${times.max()} ms`);
  }
  await traffic.finish();
  await pipeline.oracle.finish();
  const lost = [...traffic.stored].filter((id) => !traffic.delivered.has(id));
  const limit = { limitMs: 3000, what: "consuming again", check: context.checkTimes };
  return {
    problems: [
      ...(lost.length > 0
        ? [`${lost.length} of ${traffic.stored.size} stored messages are lost`]
        : []),
      ...[traffic.failure() ?? []].flat(),
      ...pipeline.problems(),
      ...tooLate(times, limit),
    ],
    figures: {
      kills: count,
      "messages stored": traffic.stored.size,
      "delivered again": traffic.redelivered(),
      "most again after one kill": mostAgain,
      updates: pipeline.oracle.latestStep(),
      "again p50 ms": times.median(),
      "again max ms": times.max(),
    },
  };
}

/** See `doc`. */
export const natsKill: FaultRow = {
  name: "nats-kill",
  doc: "kill -9 of nats-server under load: no stored message is lost, the run goes on, consuming again within 3 s",
  counts: { full: 300, short: 5 },
  run,
  controls: [
    {
      name: "a publish whose answer was lost is not repeated",
      where: "harness",
      file: "libs/bus/dist/common/publish.js",
      find: 'return code === "unavailable" || code === "resource_exhausted";',
      replace: "return false;",
      count: 10,
      expect: /publish to own\.traffic/,
    },
  ],
};
