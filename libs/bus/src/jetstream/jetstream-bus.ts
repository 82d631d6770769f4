import { setTimeout as delay } from "node:timers/promises";
import type { JetStreamClient, JetStreamManager } from "nats";
import { StagecraftError } from "@stagecraft/core";
import { silentLogger } from "@stagecraft/telemetry";
import type { EventBus } from "../bus.js";
import type { Broker } from "../common/broker.js";
import { createBus, type BusOptions } from "../common/create-bus.js";
import { createBroadcastQueue } from "../common/listener.js";
import { openConnection, type Connection, type JetStreamOptions } from "./connection.js";
import { directGet } from "./direct-get.js";
import { fromNats, isNotFound } from "./errors.js";
import { toNatsHeaders } from "./headers.js";
import { wrapKeyValue } from "./key-value.js";
import { isNoMessage, leaderGet } from "./leader-get.js";
import { openPull } from "./pull.js";
import { consumerConfig, hasFields, streamConfig } from "./stream-config.js";

export type { JetStreamOptions } from "./connection.js";

/**
 * The bus on NATS JetStream. Rejects with `unavailable` when no broker answers in time, with
 * `unauthenticated` when it refuses us; afterwards lost connections heal by themselves.
 */
export async function createJetStreamBus(
  options: JetStreamOptions & BusOptions,
): Promise<EventBus> {
  const connection = await openConnection(options, options.logger ?? silentLogger());
  try {
    const { requestTimeoutMs: timeout } = connection;
    const manager = await connection.nc.jetstreamManager({ timeout });
    return createBus(createJetStreamBroker(connection, manager), options);
  } catch (error) {
    await connection.nc.close();
    throw fromNats(error, "JetStream is not available on this broker (start it with -js)");
  }
}

function createJetStreamBroker(connection: Connection, manager: JetStreamManager): Broker {
  const { nc, requestTimeoutMs: timeout } = connection;
  const js: JetStreamClient = nc.jetstream({ timeout });
  const attempt = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    await connection.connected();
    try {
      return await work();
    } catch (error) {
      throw error instanceof StagecraftError ? error : fromNats(error, what);
    }
  };
  return {
    store: (subject, data, headers) =>
      attempt("store", async () => {
        const ack = await js.publish(subject, data, { headers: toNatsHeaders(headers), timeout });
        return { sequence: ack.seq, duplicate: ack.duplicate };
      }),
    read: (stream, from, subject) =>
      attempt(`read ${stream}`, async () => {
        const query = { from, subject: subject ?? ">" };
        const found = await directGet(connection, stream, query);
        return found ?? (await leaderGet(manager, stream, query));
      }),
    remove: (stream, sequence) =>
      attempt(`delete ${sequence} of ${stream}`, () =>
        manager.streams.deleteMessage(stream, sequence, false).catch((error: unknown) => {
          if (isNoMessage(error)) return false;
          throw error;
        }),
      ),
    purge: (stream, subject) =>
      attempt(`purge ${stream}`, async () => {
        await manager.streams.purge(stream, { filter: subject });
      }),
    trim: (stream, below) =>
      attempt(`trim ${stream}`, async () => {
        await manager.streams.purge(stream, { seq: below });
      }),
    openPull: (spec, sink) =>
      attempt(`consume ${spec.stream}`, async () => {
        await manager.consumers.info(spec.stream, spec.durable);
        return openPull(connection, spec, sink);
      }),
    broadcast: (subject, data) => {
      if (connection.isConnected() && !nc.isClosed()) nc.publish(subject, data);
    },
    async listen(subject, maxQueued) {
      await connection.connected();
      const queue = createBroadcastQueue(maxQueued, () => subscription.unsubscribe());
      const subscription = nc.subscribe(subject, {
        callback: (error, message) => {
          if (error) return;
          queue.push({ subject: message.subject, data: Uint8Array.from(message.data) });
        },
      });
      void subscription.closed.then(() => queue.end());
      await nc.flush();
      return queue;
    },
    keyValue: (bucket) =>
      attempt(`open bucket ${bucket}`, async () => {
        await manager.streams.info(`KV_${bucket}`);
        const kv = await js.views.kv(bucket, { bindOnly: true, timeout });
        return wrapKeyValue(connection, bucket, kv);
      }),
    ensureStream: (spec) =>
      attempt(`set up stream ${spec.name}`, async () => {
        const known = await ignoreMissing(manager.streams.info(spec.name), undefined);
        const config = streamConfig(spec, known?.config);
        if (known && hasFields(known.config, config)) return "unchanged";
        if (!known) return addStream(manager, config);
        await manager.streams.update(spec.name, config);
        return "updated";
      }),
    ensureConsumer: (spec) =>
      attempt(`set up consumer ${spec.durable} of ${spec.stream}`, async () => {
        const config = consumerConfig(spec);
        const { stream, durable } = spec;
        const known = await ignoreMissing(manager.consumers.info(stream, durable), undefined);
        if (known && hasFields(known.config, config)) return "unchanged";
        if (known) await manager.consumers.update(stream, durable, config);
        else await manager.consumers.add(stream, config);
        return known ? "updated" : "created";
      }),
    ensureKeyValue: (bucket, { replicas = 1 }) =>
      attempt(`set up bucket ${bucket}`, async () => {
        const known = await ignoreMissing(manager.streams.info(`KV_${bucket}`), undefined);
        await js.views.kv(bucket, { history: 8, replicas, timeout });
        return known ? "unchanged" : "created";
      }),
    resize: (stream, maxBytes) =>
      attempt(`resize ${stream}`, async () => {
        await manager.streams.update(stream, { max_bytes: maxBytes });
      }),
    subjects: (stream, pattern) =>
      attempt(`look at stream ${stream}`, async () => {
        const { state } = await manager.streams.info(stream, { subjects_filter: pattern });
        return Object.keys(state.subjects ?? {});
      }),
    streamInfo: (stream) =>
      attempt(`look at stream ${stream}`, async () => {
        const { state, created, config } = await manager.streams.info(stream);
        return {
          createdAtMs: Date.parse(created),
          messages: state.messages,
          bytes: state.bytes,
          maxBytes: config.max_bytes < 0 ? Infinity : config.max_bytes,
          firstSequence: state.first_seq,
          lastSequence: state.last_seq,
        };
      }),
    consumerInfo: (stream, durable) =>
      attempt(`look at consumer ${durable} of ${stream}`, async () => {
        const info = await manager.consumers.info(stream, durable);
        return {
          pending: info.num_pending,
          ackPending: info.num_ack_pending,
          redelivered: info.num_redelivered,
          ackFloor: info.ack_floor.stream_seq,
        };
      }),
    deleteStream: (stream) =>
      attempt(`delete stream ${stream}`, async () => {
        await ignoreMissing(manager.streams.delete(stream), true);
      }),
    async close() {
      // Best effort: a flush on a dead or frozen connection would wait for its return.
      const flushed = connection.isConnected() ? nc.flush().catch(() => undefined) : undefined;
      await Promise.race([flushed, delay(timeout, undefined, { ref: false })]);
      await nc.close();
    },
  };
}

function ignoreMissing<T>(work: Promise<T>, otherwise: T): Promise<T> {
  return work.catch((error: unknown) => {
    if (isNotFound(error)) return otherwise;
    throw error;
  });
}

/** How often a stream is asked for that another process may be setting up. */
const ADD_ATTEMPTS = 5;

/**
 * Creates a stream. While two processes create the same one, the broker counts its space twice and may
 * refuse one of them for want of it: then the other's stream is what is wanted.
 */
async function addStream(
  manager: JetStreamManager,
  config: ReturnType<typeof streamConfig>,
): Promise<"created" | "unchanged"> {
  for (let tries = 1; ; tries++) {
    try {
      await manager.streams.add(config);
      return "created";
    } catch (error) {
      const other = await ignoreMissing(manager.streams.info(config.name), undefined);
      if (other && hasFields(other.config, config)) return "unchanged";
      if (tries === ADD_ATTEMPTS) throw error;
      await delay(100 * tries);
    }
  }
}
