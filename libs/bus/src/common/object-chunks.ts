import { createHash, randomBytes, type Hash } from "node:crypto";
import type { ObjectContent } from "../objects.js";

/** Below nats-server's default payload limit of 1 MiB. */
const CHUNK_BYTES = 512 * 1024;
/** Chunks on their way at once, where the content can be read a second time. */
const CHUNKS_AHEAD = 16;

/** The chunks of an object, in the broker. */
export interface StoredChunks {
  /** Names them; new with every attempt. */
  nuid: string;
  size: number;
  chunks: number;
  sha256: Buffer;
}

export interface ChunkStore {
  /** Stores one and resolves to its sequence; `id` is the same when it has to be repeated. */
  store(id: string, chunk: Uint8Array, nuid: string): Promise<number>;
  /** Removes all of a nuid. */
  drop(nuid: string): Promise<void>;
}

/**
 * Stores the chunks of an object. Content that can be read again goes many chunks at a time; when the
 * repeat of a lost one was overtaken by a later one, all of it is stored again, one at a time, as content
 * that comes only once always is. Leaves nothing behind when it fails.
 */
export async function storeChunks(
  content: ObjectContent,
  { store, drop }: ChunkStore,
): Promise<StoredChunks> {
  const attempt = async (ahead: number): Promise<StoredChunks | undefined> => {
    const nuid = randomBytes(12).toString("hex");
    const hash = createHash("sha256");
    try {
      const hashed = hashing(rechunk(partsOf(content)), hash);
      const { sequences, size } = await storeAhead(hashed, ahead, (id, chunk) =>
        store(`${nuid}.${id}`, chunk, nuid),
      );
      if (isAscending(sequences)) {
        return { nuid, size, chunks: sequences.length, sha256: hash.digest() };
      }
    } catch (error) {
      await drop(nuid).catch(() => undefined);
      throw error;
    }
    await drop(nuid);
    return undefined;
  };
  const canRepeat = content instanceof Uint8Array || typeof content === "function";
  const stored = canRepeat ? await attempt(CHUNKS_AHEAD) : undefined;
  return stored ?? (await attempt(1))!;
}

async function storeAhead(
  chunks: AsyncIterable<Uint8Array>,
  ahead: number,
  store: (id: number, chunk: Uint8Array) => Promise<number>,
): Promise<{ sequences: number[]; size: number }> {
  const storing: Promise<number>[] = [];
  let size = 0;
  try {
    for await (const chunk of chunks) {
      size += chunk.length;
      const next = store(storing.length, chunk);
      next.catch(() => undefined); // told below
      storing.push(next);
      await storing[storing.length - ahead];
    }
    return { sequences: await Promise.all(storing), size };
  } finally {
    await Promise.allSettled(storing);
  }
}

function isAscending(sequences: readonly number[]): boolean {
  return sequences.every((sequence, i) => i === 0 || sequence > sequences[i - 1]!);
}

async function* hashing(chunks: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

function partsOf(content: ObjectContent): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  if (content instanceof Uint8Array) return [content];
  return typeof content === "function" ? content() : content;
}

/** Chunks of equal size, whatever the sizes that come in. */
async function* rechunk(
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let numHeld = 0;
  for await (const part of parts) {
    for (let at = 0; at < part.length;) {
      const piece = part.subarray(at, at + CHUNK_BYTES - numHeld);
      held.push(piece);
      numHeld += piece.length;
      at += piece.length;
      if (numHeld < CHUNK_BYTES) continue;
      yield Buffer.concat(held);
      held = [];
      numHeld = 0;
    }
  }
  if (numHeld > 0) yield Buffer.concat(held);
}
