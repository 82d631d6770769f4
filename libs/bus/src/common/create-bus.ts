import { randomUUID } from "node:crypto";
import { StagecraftError } from "@stagecraft/core";
import { METRICS, silentLogger, type Logger, type Metrics } from "@stagecraft/telemetry";
import type { Consumer, ConsumerSpec, EventBus, PublishOptions } from "../bus.js";
import type { Broker, RequiredConsumerSpec } from "./broker.js";
import { openConsumer, type ConsumerParts } from "./consumer.js";
import { createDeadLetters, createDeadLetterSink } from "./dead-letters.js";
import { createLimiter } from "./limiter.js";
import { createObjectStore, objectStreamSpec } from "./objects.js";
import { publishUntilStored } from "./publish.js";
import { checkName } from "./subjects.js";
import { CANARY_SUBJECT } from "../topology.js";

/** Options of every bus. */
export interface BusOptions {
  logger?: Logger;
  metrics?: Metrics;
  /** Bounds on publishes in flight; default 512 messages and 64 MiB. */
  maxInFlight?: { count: number; bytes: number };
}

/** The part of the bus that does not depend on where messages are kept. */
export function createBus(broker: Broker, options: BusOptions = {}): EventBus {
  const { logger = silentLogger(), metrics, maxInFlight } = options;
  const limiter = createLimiter({
    maxCount: maxInFlight?.count ?? 512,
    maxBytes: maxInFlight?.bytes ?? 64 * 1024 * 1024,
  });
  const published = metrics?.counter(METRICS.busPublished);
  const retries = metrics?.counter(METRICS.busPublishRetries);
  const onRetry = (subject: string) => retries?.add({ kind: kindOf(subject) });
  const publish = async (subject: string, data: Uint8Array, how: PublishOptions) => {
    const ack = await publishUntilStored({ broker, limiter, onRetry }, subject, data, how);
    published?.add({ kind: kindOf(subject) });
    return ack;
  };
  const parts: ConsumerParts = {
    broker,
    storeDead: countDead(createDeadLetterSink(publish), logger, metrics),
    onError: (error) => logger.error({ err: error }, "bus: settling a message failed"),
    onSettled: (subject, outcome) =>
      metrics?.counter(METRICS.busSettled).add({ kind: kindOf(subject), outcome }),
    onRedelivered: (subject) =>
      metrics?.counter(METRICS.busRedelivered).add({ kind: kindOf(subject) }),
  };
  const consumers = new Set<Consumer>();

  const bus: EventBus = {
    publish,
    async consume(spec) {
      const consumer = await openConsumer(withDefaults(spec), parts);
      consumers.add(consumer);
      return consumer;
    },
    broadcast: (subject, data) => broker.broadcast(subject, data),
    listen: (subject, how) => broker.listen(subject, how?.maxQueued ?? 1024),
    keyValue: (bucket) => broker.keyValue(bucket),
    objects: (bucket) => Promise.resolve(createObjectStore(bucket, broker, publish)),
    deadLetters: createDeadLetters(broker, publish),
    ensureStream: (spec) => {
      checkName("stream", spec.name);
      return broker.ensureStream(spec);
    },
    ensureConsumer: (spec) => {
      checkName("consumer", spec.durable);
      return broker.ensureConsumer(withDefaults(spec));
    },
    async ensureBucket(bucket, how = {}) {
      checkName("bucket", bucket);
      const values = await broker.ensureKeyValue(bucket, how);
      const objects = await broker.ensureStream(objectStreamSpec(bucket, how));
      return values === "unchanged" ? objects : values;
    },
    streamInfo: (stream) => broker.streamInfo(stream),
    consumerInfo: ({ stream, durable }) => broker.consumerInfo(stream, durable),
    deleteStream: (stream) => broker.deleteStream(stream),
    async trimSettled({ stream, durable }, keep = 0) {
      const { ackFloor } = await broker.consumerInfo(stream, durable);
      const below = ackFloor + 1 - keep;
      if (below > 1) await broker.trim(stream, below);
    },
    async checkReady(timeoutMs) {
      await publish(CANARY_SUBJECT, new Uint8Array(0), { id: randomUUID(), timeoutMs });
    },
    async close() {
      await Promise.allSettled([...consumers].map((consumer) => consumer.close()));
      await broker.close();
    },
    [Symbol.asyncDispose]: () => bus.close(),
  };
  return bus;
}

/** Throws `invalid_argument` for numbers that make no sense. */
function withDefaults(spec: ConsumerSpec): RequiredConsumerSpec {
  const full = {
    ackWaitMs: 30_000,
    maxAckPending: 1024,
    maxDeliver: 10,
    prefetch: 0,
    keepAlive: true,
    maxHoldMs: 15 * 60_000,
    ...spec,
  };
  const least = { ackWaitMs: 1, maxAckPending: 1, maxDeliver: 1, prefetch: 0 };
  for (const name of ["ackWaitMs", "maxAckPending", "maxDeliver", "prefetch"] as const) {
    if (full[name] >= least[name]) continue;
    throw new StagecraftError(
      "invalid_argument",
      `consumer ${spec.durable}: ${name} is ${full[name]}, needs at least ${least[name]}`,
    );
  }
  return full;
}

function countDead(
  store: ConsumerParts["storeDead"],
  logger: Logger,
  metrics: Metrics | undefined,
): ConsumerParts["storeDead"] {
  return async (message, consumer, reason) => {
    await store(message, consumer, reason);
    const { subject, sequence } = message;
    logger.warn({ subject, sequence, reason }, "bus: message given up, stored as dead letter");
    metrics?.counter(METRICS.busDeadLetters).add({ kind: kindOf(subject) });
  };
}

/** The last token, so that metrics do not grow with the number of runs. */
function kindOf(subject: string): string {
  return subject.startsWith("$O.") ? "object" : subject.slice(subject.lastIndexOf(".") + 1);
}
