import { StagecraftError } from "@stagecraft/core";
import type { KeyValue, KeyValueEntry } from "../bus.js";
import { watchLatest } from "../common/watch.js";

/** One bucket; revisions count over all its keys, as in NATS. */
export function createMemoryKeyValue(): KeyValue {
  const entries = new Map<string, KeyValueEntry>();
  const watchers = new Set<() => void>();
  let revision = 0;
  const write = (key: string, value: Uint8Array) => {
    const createdAtMs = Date.now();
    entries.set(key, { key, value: Uint8Array.from(value), revision: ++revision, createdAtMs });
    for (const wake of watchers) wake();
    return Promise.resolve(revision);
  };
  const get = (key: string) => Promise.resolve(entries.get(key));
  return {
    put: write,
    get,
    async update(key, value, expected) {
      const current = entries.get(key)?.revision ?? 0;
      if (current === expected) return write(key, value);
      throw new StagecraftError(
        "aborted",
        `key ${key} is at revision ${current}, not ${expected}: somebody else wrote it`,
        { details: { key, current, expected } },
      );
    },
    delete(key) {
      entries.delete(key);
      return Promise.resolve();
    },
    watch: (key, signal) =>
      watchLatest(() => get(key), {
        signal,
        pollMs: 60_000,
        onHint: (wake) => {
          watchers.add(wake);
          return () => watchers.delete(wake);
        },
      }),
  };
}
