import { createHash } from "node:crypto";
import type { EventBus, ObjectStore } from "@stagecraft/bus";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { readSlice } from "./local-files.js";
import type { RemoteStore } from "./remote-store.js";

export interface NatsStoreOptions {
  /** Open; stays the caller's. */
  bus: EventBus;
  /** Such as `models_main`. */
  bucket: string;
  /** Copies of the bucket when it has to be made. */
  replicas: number;
  /** Files are kept in parts of this size, each whole or not at all; default 32 MiB. */
  partBytes?: number;
}

const DEFAULT_PART_BYTES = 32 * 1024 ** 2;
const MIB = 1024 ** 2;

/** Models in a bucket of the broker's object store: `KEY` for small objects, `KEY#0`, `KEY#1`, … for files; states in its key-value part. */
export function createNatsStore(options: NatsStoreOptions): RemoteStore {
  const { bus, bucket, replicas, partBytes = DEFAULT_PART_BYTES } = options;
  let opening: Promise<ObjectStore> | undefined;
  const objects = () => (opening ??= bus.objects(bucket));
  let isThere = false;
  /** A bucket that is not there yet answers nothing at all, not even that. */
  const hasBucket = async () => {
    if (isThere) return true;
    const looking = bus.streamInfo(`OBJ_${bucket}`).then(() => true);
    isThere = await looking.catch((thrown: unknown) => {
      if (StagecraftError.from(thrown).code === "not_found") return false;
      throw thrown;
    });
    return isThere;
  };
  const find = async (key: string) =>
    (await hasBucket()) ? await (await objects()).get(key) : undefined;
  const used = async () => (await bus.streamInfo(`OBJ_${bucket}`)).bytes;

  return {
    name: "nats://",
    async read(key) {
      const found = await find(key);
      if (!found) return undefined;
      const chunks: Uint8Array[] = [];
      for await (const chunk of found.chunks) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
    async write(key, content) {
      await (await objects()).put(key, content);
    },
    async readState(key) {
      if (!(await hasBucket())) return undefined;
      const entry = await (await bus.keyValue(bucket)).get(key);
      return entry && { content: entry.value, revision: String(entry.revision) };
    },
    async writeState(key, content, before) {
      if (!(await hasBucket())) await bus.ensureBucket(bucket, { replicas });
      await (await bus.keyValue(bucket)).update(key, content, Number(before?.revision ?? 0));
    },
    async makeRoom(sizeBytes) {
      if (!(await hasBucket())) await bus.ensureBucket(bucket, { replicas });
      const wanted = (await used()) + Math.ceil(1.01 * sizeBytes) + MIB;
      await (await objects()).reserve(wanted, { grow: true });
    },
    async upload(key, { path, sizeBytes }, { signal, onBytes }) {
      for (let part = 0, at = 0; part === 0 || at < sizeBytes; part++, at += partBytes) {
        throwIfAborted(signal);
        const length = Math.min(partBytes, sizeBytes - at);
        const present = await find(partKey(key, part));
        const slice = () => (length === 0 ? [] : readSlice(path, at, length));
        if (present?.info.sizeBytes !== length || present.info.sha256 !== (await hashOf(slice()))) {
          await (await objects()).put(partKey(key, part), slice);
        }
        onBytes?.(length);
      }
    },
    async *download(key, from, { signal }) {
      let part = Math.floor(from / partBytes);
      let skip = from - part * partBytes;
      for (; ; part++) {
        const found = await find(partKey(key, part));
        if (!found && part === 0) throw noObject(key);
        if (!found) return;
        for await (const chunk of found.chunks) {
          throwIfAborted(signal);
          const rest = chunk.subarray(Math.min(skip, chunk.length));
          skip -= chunk.length - rest.length;
          if (rest.length > 0) yield rest;
        }
        if (found.info.sizeBytes < partBytes) return;
      }
    },
    async list(prefix) {
      const all = (await hasBucket()) ? await (await objects()).list() : [];
      const keys = all.map(({ name }) => name.replace(/#\d+$/, ""));
      return [...new Set(keys)].filter((key) => key.startsWith(prefix));
    },
    async remove(key) {
      const store = await objects();
      const names = (await store.list()).map(({ name }) => name);
      const own = names.filter((name) => name.replace(/#\d+$/, "") === key);
      for (const name of own) await store.delete(name);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

const partKey = (key: string, part: number) => `${key}#${part}`;

async function hashOf(content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of content) hash.update(chunk);
  return hash.digest("hex");
}

function noObject(key: string): StagecraftError {
  return new StagecraftError("not_found", `nats:// has no object ${key}`);
}
