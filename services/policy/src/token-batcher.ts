import type { TokenChunk } from "./engine.js";
import { appendChunk, type TokenSink } from "./token-channel.js";
import type { TokenBatch } from "./thread-protocol.js";

/** Gathers tokens from the sinks of all answers. */
export interface TokenBatcher {
  /** Takes the chunk over. */
  add(handle: number, chunk: TokenChunk): void;
  /** After a step: what is to be told now; undefined when that is nothing. */
  take(): TokenBatch | undefined;
  /** Of an answer that ends without a last token: what was not told of it yet. */
  leave(handle: number): TokenBatch | undefined;
}

export interface TokenBatcherOptions {
  /**
   * Least time between two messages about answers that go on, ms; longer for many of them. 0 = every step is
   * told.
   */
  intervalMs: number;
  now?: () => number;
}

/** A message of many answers wakes as many readers: what that takes of a processor is bounded, up to a longest wait. */
const MS_PER_ANSWER = 2.5;
const LONGEST_MS = 100;

/**
 * One message about all answers, and not for every step: the tokens of an answer wait for the next one, its
 * first and its end do not. Whatever wakes the readers takes a processor from the steps.
 */
export function createTokenBatcher(options: TokenBatcherOptions): TokenBatcher {
  const { intervalMs, now = () => performance.now() } = options;
  /** Of answers that have begun, what has not been told. */
  const open = new Map<number, TokenChunk | undefined>();
  const urgent = new Set<number>();
  let dueAt = -Infinity;
  const batchOf = (handles: Iterable<number>) => {
    const taken: [number, TokenChunk][] = [];
    for (const handle of handles) {
      const chunk = open.get(handle);
      if (chunk) taken.push([handle, chunk]);
      if (chunk?.finishReason !== undefined) open.delete(handle);
      else open.set(handle, undefined);
    }
    return taken.length > 0 ? toBatch(taken) : undefined;
  };
  return {
    add(handle, chunk) {
      if (!open.has(handle) || chunk.finishReason !== undefined) urgent.add(handle);
      const gathered = open.get(handle);
      if (gathered) appendChunk(gathered, chunk);
      else open.set(handle, chunk);
    },
    take() {
      const at = now();
      const isDue = at >= dueAt;
      const numAnswers = open.size;
      const batch = batchOf(isDue ? [...open.keys()] : urgent);
      urgent.clear();
      if (isDue && batch) dueAt = at + waitMs(intervalMs, numAnswers);
      return batch;
    },
    leave(handle) {
      const batch = open.has(handle) ? batchOf([handle]) : undefined;
      open.delete(handle);
      urgent.delete(handle);
      return batch;
    },
  };
}

function waitMs(intervalMs: number, numAnswers: number): number {
  if (intervalMs === 0) return 0;
  return Math.max(intervalMs, Math.min(LONGEST_MS, MS_PER_ANSWER * numAnswers));
}

function toBatch(taken: readonly [number, TokenChunk][]): TokenBatch {
  const size = taken.reduce((sum, [, { tokenIds }]) => sum + tokenIds.length, 0);
  const batch: TokenBatch = {
    handles: new Int32Array(taken.length),
    counts: new Int32Array(taken.length),
    tokenIds: new Int32Array(size),
    logProbs: new Float64Array(size),
    weightVersions: new Float64Array(size),
    tops: [],
    ends: [],
  };
  let from = 0;
  taken.forEach(([handle, chunk], index) => {
    const { tokenIds, tops, finishReason, text } = chunk;
    batch.handles[index] = handle;
    batch.counts[index] = tokenIds.length;
    batch.tokenIds.set(tokenIds, from);
    batch.logProbs.set(chunk.logProbs, from);
    batch.weightVersions.set(chunk.weightVersions, from);
    from += tokenIds.length;
    if (tops) batch.tops.push({ index, tops });
    if (finishReason !== undefined) batch.ends.push({ index, finishReason, text });
  });
  return batch;
}

/** Hands the tokens of a message to the sinks of their answers; those withdrawn meanwhile have none. */
export function spreadTokens(
  batch: TokenBatch,
  sinkOf: (handle: number) => TokenSink | undefined,
): void {
  const ends = new Map(batch.ends.map((end) => [end.index, end]));
  const tops = new Map(batch.tops.map((each) => [each.index, each.tops]));
  let to = 0;
  batch.handles.forEach((handle, index) => {
    const from = to;
    to += batch.counts[index]!;
    const end = ends.get(index);
    sinkOf(handle)?.push({
      tokenIds: listOf(batch.tokenIds, from, to),
      logProbs: listOf(batch.logProbs, from, to),
      weightVersions: listOf(batch.weightVersions, from, to),
      tops: tops.get(index),
      finishReason: end?.finishReason,
      text: end?.text,
    });
  });
}

/** A loop, since `Array.from` takes several times as long, and this is done for every answer of every message. */
function listOf(numbers: Int32Array | Float64Array, from: number, to: number): number[] {
  const list: number[] = [];
  for (let i = from; i < to; i++) list.push(numbers[i]!);
  return list;
}
