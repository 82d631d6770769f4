import type { KV, KvEntry } from "nats";
import { StagecraftError } from "@stagecraft/core";
import type { KeyValue, KeyValueEntry } from "../bus.js";
import { watchLatest } from "../common/watch.js";
import type { Connection } from "./connection.js";
import { fromNats } from "./errors.js";

/** Readers look again after this even when no hint came (core messages can be lost). */
const POLL_MS = 2000;

export function wrapKeyValue(connection: Connection, bucket: string, kv: KV): KeyValue {
  const attempt = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    await connection.connected();
    try {
      return await work();
    } catch (error) {
      throw fromNats(error, `${what} in bucket ${bucket}`);
    }
  };
  const get = (key: string) => attempt(`get ${key}`, async () => entryOf(await kv.get(key)));
  return {
    get,
    put: (key, value) => attempt(`put ${key}`, () => kv.put(key, value)),
    async update(key, value, expected) {
      try {
        return await attempt(`update ${key}`, () =>
          expected === 0 ? kv.create(key, value) : kv.update(key, value, expected),
        );
      } catch (error) {
        if (!(error instanceof StagecraftError) || error.code !== "aborted") throw error;
        throw new StagecraftError(
          "aborted",
          `key ${key} is not at revision ${expected} any more: somebody else wrote it`,
          { cause: error, details: { key, expected } },
        );
      }
    },
    delete: (key) => attempt(`delete ${key}`, () => kv.delete(key)),
    watch: (key, signal) =>
      watchLatest(() => get(key), {
        signal,
        pollMs: POLL_MS,
        onHint: (wake) => {
          // A stored value is also an ordinary message on its subject.
          const subscription = connection.nc.subscribe(`$KV.${bucket}.${key}`, { callback: wake });
          const unhook = connection.onReconnect(wake);
          return () => {
            unhook();
            if (!connection.nc.isClosed()) subscription.unsubscribe();
          };
        },
      }),
  };
}

function entryOf(entry: KvEntry | null): KeyValueEntry | undefined {
  if (!entry || entry.operation !== "PUT") return undefined;
  const { key, revision, created } = entry;
  return { key, value: Uint8Array.from(entry.value), revision, createdAtMs: created.getTime() };
}
