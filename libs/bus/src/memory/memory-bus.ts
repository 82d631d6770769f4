import { isDeepStrictEqual } from "node:util";
import { StagecraftError } from "@stagecraft/core";
import type { EventBus } from "../bus.js";
import type { Broker, StoredMessage } from "../common/broker.js";
import { createBus, type BusOptions } from "../common/create-bus.js";
import { createListenerHub } from "../common/listener.js";
import { subjectMatches } from "../common/subjects.js";
import { createMemoryConsumer, type MemoryConsumer } from "./memory-consumer.js";
import { createMemoryKeyValue } from "./memory-key-value.js";
import { createMemoryStream, type MemoryStream } from "./memory-stream.js";
import type { KeyValue } from "../bus.js";

/** Same limit as nats-server's default. */
const MAX_PAYLOAD_BYTES = 1024 * 1024;

/**
 * A bus inside this process, for the embedded mode and tests: same behaviour as JetStream (one
 * conformance suite runs on both), nothing survives the process.
 */
export function createMemoryBus(options: BusOptions = {}): EventBus {
  return createBus(createMemoryBroker(), options);
}

function createMemoryBroker(): Broker {
  const streams = new Map<string, MemoryStream>();
  const consumers = new Map<string, Map<string, MemoryConsumer>>();
  const buckets = new Map<string, KeyValue>();
  const hub = createListenerHub();
  let closed = false;

  const streamOf = (name: string): MemoryStream => {
    const stream = streams.get(name);
    if (stream) return stream;
    throw new StagecraftError("not_found", `no stream ${name}; run ensureTopology first`);
  };
  const consumersOf = (stream: string) => [...(consumers.get(stream)?.values() ?? [])];
  const consumerOf = (stream: string, durable: string): MemoryConsumer => {
    const consumer = consumers.get(stream)?.get(durable);
    if (consumer) return consumer;
    throw new StagecraftError("not_found", `no consumer ${durable} on stream ${stream}`);
  };
  const openOrThrow = () => {
    if (closed) throw new StagecraftError("failed_precondition", "the bus is closed");
  };

  return {
    // Async, so that every failure is a rejection.
    async store(subject, data, headers) {
      openOrThrow();
      if (data.length > MAX_PAYLOAD_BYTES) {
        throw new StagecraftError(
          "invalid_argument",
          `message of ${data.length} bytes; the broker takes ${MAX_PAYLOAD_BYTES}`,
        );
      }
      const stream = [...streams.values()].find(({ spec }) =>
        spec.subjects.some((pattern) => subjectMatches(pattern, subject)),
      );
      if (!stream) {
        throw new StagecraftError("unavailable", "no stream takes it; is the topology set up?");
      }
      const ack = stream.append(subject, data, headers);
      if (!ack.duplicate) hub.emit(subject, data);
      for (const consumer of consumersOf(stream.spec.name)) consumer.poke();
      return Promise.resolve(ack);
    },
    async read(name, from, subject = ">") {
      return Promise.resolve(findFrom(streamOf(name), from, subject));
    },
    async remove(name, sequence) {
      return Promise.resolve(streamOf(name).remove(sequence));
    },
    async purge(name, subject) {
      return Promise.resolve(streamOf(name).purge(subject));
    },
    async trim(name, below) {
      const stream = streamOf(name);
      for (const { sequence } of stream.messages()) if (sequence < below) stream.remove(sequence);
      return Promise.resolve();
    },
    async openPull({ stream, durable }, sink) {
      openOrThrow();
      return Promise.resolve(consumerOf(stream, durable).open(sink));
    },
    broadcast: (subject, data) => hub.emit(subject, data),
    listen: (subject, maxQueued) => Promise.resolve(hub.listen(subject, maxQueued)),
    async keyValue(bucket) {
      const store = buckets.get(bucket);
      if (store) return Promise.resolve(store);
      throw new StagecraftError("not_found", `no bucket ${bucket}; run ensureBucket first`);
    },
    async ensureStream({ keepSize, ...spec }) {
      openOrThrow();
      const stream = streams.get(spec.name);
      if (!stream) {
        streams.set(spec.name, createMemoryStream(spec));
        return Promise.resolve("created");
      }
      if (stream.spec.retention !== spec.retention) {
        throw new StagecraftError(
          "failed_precondition",
          `stream ${spec.name} exists with retention ${stream.spec.retention}; delete it first`,
        );
      }
      const { maxBytes } = keepSize ? stream.spec : spec;
      const wanted = { ...spec, maxBytes };
      const isSame = isDeepStrictEqual(stream.spec, wanted);
      stream.spec = wanted;
      return Promise.resolve(isSame ? "unchanged" : "updated");
    },
    async resize(name, maxBytes) {
      const stream = streamOf(name);
      stream.spec = { ...stream.spec, maxBytes };
      return Promise.resolve();
    },
    async subjects(name, pattern) {
      const all = [...streamOf(name).messages()].map(({ subject }) => subject);
      return Promise.resolve([...new Set(all)].filter((each) => subjectMatches(pattern, each)));
    },
    async ensureConsumer(spec) {
      const stream = streamOf(spec.stream);
      const known = consumers.get(spec.stream) ?? new Map<string, MemoryConsumer>();
      consumers.set(spec.stream, known);
      const consumer = known.get(spec.durable);
      const pokeAll = () => known.forEach((other) => other.poke());
      if (!consumer) {
        known.set(spec.durable, createMemoryConsumer(stream, spec, pokeAll));
        return Promise.resolve("created");
      }
      const isSame = isDeepStrictEqual(consumer.spec, spec);
      consumer.spec = spec;
      return Promise.resolve(isSame ? "unchanged" : "updated");
    },
    async ensureKeyValue(bucket) {
      if (buckets.has(bucket)) return Promise.resolve("unchanged");
      buckets.set(bucket, createMemoryKeyValue());
      return Promise.resolve("created");
    },
    streamInfo: async (name) => Promise.resolve(streamOf(name).info()),
    consumerInfo: async (stream, durable) => Promise.resolve(consumerOf(stream, durable).info()),
    async deleteStream(name) {
      for (const consumer of consumersOf(name)) consumer.close();
      consumers.delete(name);
      streams.delete(name);
      buckets.delete(name.replace(/^KV_/, ""));
      return Promise.resolve();
    },
    async close() {
      closed = true;
      for (const name of consumers.keys()) for (const item of consumersOf(name)) item.close();
      await hub.close();
    },
  };
}

function findFrom(stream: MemoryStream, from: number, subject: string): StoredMessage | undefined {
  for (const message of stream.messages()) {
    if (message.sequence >= from && subjectMatches(subject, message.subject)) return message;
  }
  return undefined;
}
