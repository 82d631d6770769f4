import { StagecraftError } from "@stagecraft/core";
import type { PublishAck, StreamInfo, StreamSpec } from "../bus.js";
import type { Headers, StoredMessage } from "../common/broker.js";
import { HEADER } from "../common/headers.js";
import { subjectMatches } from "../common/subjects.js";

/** One stream: an ordered log with limits and deduplication, as JetStream keeps it. */
export interface MemoryStream {
  spec: StreamSpec;
  append(subject: string, data: Uint8Array, headers: Headers): PublishAck;
  /** Messages in order of sequence. */
  messages(): IterableIterator<StoredMessage>;
  get(sequence: number): StoredMessage | undefined;
  remove(sequence: number): boolean;
  purge(subject: string): void;
  info(): StreamInfo;
}

const DEFAULT_DUPLICATE_WINDOW_MS = 120_000;

export function createMemoryStream(initial: StreamSpec): MemoryStream {
  const log = new Map<number, StoredMessage>();
  const seen = new Map<string, { sequence: number; atMs: number }>();
  const createdAtMs = Date.now();
  let bytes = 0;
  let lastSequence = 0;

  const remove = (sequence: number): boolean => {
    const message = log.get(sequence);
    if (!message) return false;
    bytes -= sizeOf(message);
    return log.delete(sequence);
  };
  const first = () => log.keys().next().value;
  const dropOld = () => {
    const { maxAgeMs } = stream.spec;
    if (maxAgeMs === undefined) return;
    const oldest = Date.now() - maxAgeMs;
    for (const [sequence, message] of log) {
      if (message.storedAtMs >= oldest) break;
      remove(sequence);
    }
  };
  const forgetIds = (now: number) => {
    const oldest = now - (stream.spec.duplicateWindowMs ?? DEFAULT_DUPLICATE_WINDOW_MS);
    for (const [id, { atMs }] of seen) {
      if (atMs > oldest) break;
      seen.delete(id);
    }
  };
  const purge = (subject: string) => {
    for (const message of log.values()) {
      if (subjectMatches(subject, message.subject)) remove(message.sequence);
    }
  };
  const makeRoom = (size: number) => {
    const { maxBytes, maxMessages = Infinity, discard, name } = stream.spec;
    const full = () => bytes + size > maxBytes || log.size + 1 > maxMessages;
    if (full() && (discard === "new" || size > maxBytes)) {
      throw new StagecraftError("resource_exhausted", `stream ${name} is full`);
    }
    while (full()) remove(first()!);
  };
  const keepPerSubject = (subject: string) => {
    const max = stream.spec.maxMessagesPerSubject;
    if (max === undefined) return;
    const same = [...log.values()].filter((message) => message.subject === subject);
    for (const message of same.slice(0, Math.max(0, same.length - max))) remove(message.sequence);
  };

  const stream: MemoryStream = {
    spec: initial,
    append(subject, data, headers) {
      const now = Date.now();
      forgetIds(now);
      const id = headers[HEADER.dedupeId];
      const known = id === undefined ? undefined : seen.get(id);
      if (known) return { sequence: known.sequence, duplicate: true };
      if (headers[HEADER.rollup] !== undefined && stream.spec.allowRollup !== true) {
        throw new StagecraftError("failed_precondition", `stream ${stream.spec.name}: no rollup`);
      }
      dropOld();
      const message = { subject, data: Uint8Array.from(data), headers, storedAtMs: now };
      if (headers[HEADER.rollup] === "sub") purge(subject);
      makeRoom(sizeOf(message));
      const sequence = ++lastSequence;
      log.set(sequence, { ...message, sequence });
      bytes += sizeOf(message);
      keepPerSubject(subject);
      if (id !== undefined) seen.set(id, { sequence, atMs: now });
      return { sequence, duplicate: false };
    },
    messages: () => {
      dropOld();
      return log.values();
    },
    get: (sequence) => log.get(sequence),
    remove,
    purge,
    info: () => ({
      createdAtMs,
      messages: log.size,
      bytes,
      maxBytes: stream.spec.maxBytes,
      firstSequence: first() ?? (lastSequence === 0 ? 0 : lastSequence + 1),
      lastSequence,
    }),
  };
  return stream;
}

/** About what JetStream counts: subject, headers, content and a record header. */
function sizeOf({ subject, data, headers }: Omit<StoredMessage, "sequence">): number {
  const numHeader = Object.entries(headers).reduce(
    (sum, [k, v]) => sum + k.length + v.length + 4,
    12,
  );
  return data.length + subject.length + numHeader + 30;
}
