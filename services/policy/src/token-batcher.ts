import type { SampledToken, TokenSink } from "./token-channel.js";
import type { TokenBatch } from "./thread-protocol.js";

/** Gathers tokens from the sinks of all answers. */
export interface TokenBatcher {
  add(handle: number, token: SampledToken): void;
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
const MS_PER_ANSWER = 1.5;
const LONGEST_MS = 100;

/**
 * One message about all answers, and not for every step: the tokens of an answer wait for the next one, its
 * first and its end do not. Whatever wakes the readers takes a processor from the steps.
 */
export function createTokenBatcher(options: TokenBatcherOptions): TokenBatcher {
  const { intervalMs, now = () => performance.now() } = options;
  /** Of answers that have begun, what has not been told. */
  const open = new Map<number, SampledToken[]>();
  const urgent = new Set<number>();
  let dueAt = -Infinity;
  const batchOf = (handles: Iterable<number>) => {
    const taken: [number, SampledToken][] = [];
    for (const handle of handles) {
      const tokens = open.get(handle)!;
      for (const token of tokens) taken.push([handle, token]);
      if (tokens.at(-1)?.finishReason !== undefined) open.delete(handle);
      else tokens.length = 0;
    }
    return toBatch(taken);
  };
  return {
    add(handle, token) {
      const tokens = open.get(handle);
      if (tokens) tokens.push(token);
      else open.set(handle, [token]);
      if (!tokens || token.finishReason !== undefined) urgent.add(handle);
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

function toBatch(taken: readonly [number, SampledToken][]): TokenBatch | undefined {
  if (taken.length === 0) return undefined;
  return {
    handles: Int32Array.from(taken, ([handle]) => handle),
    tokenIds: Int32Array.from(taken, ([, token]) => token.tokenId),
    logProbs: Float64Array.from(taken, ([, token]) => token.logProb),
    weightVersions: Float64Array.from(taken, ([, token]) => token.weightVersion),
    tops: taken.flatMap(([, { top }], index) => (top ? [{ index, top }] : [])),
    ends: taken.flatMap(([, { finishReason, text }], index) =>
      finishReason === undefined ? [] : [{ index, finishReason, text }],
    ),
  };
}

/** Hands the tokens of a message to the sinks of their answers; those withdrawn meanwhile have none. */
export function spreadTokens(
  batch: TokenBatch,
  sinkOf: (handle: number) => TokenSink | undefined,
): void {
  const ends = new Map(batch.ends.map((end) => [end.index, end]));
  const tops = new Map(batch.tops.map(({ index, top }) => [index, top]));
  batch.handles.forEach((handle, index) => {
    const end = ends.get(index);
    sinkOf(handle)?.push({
      tokenId: batch.tokenIds[index]!,
      logProb: batch.logProbs[index]!,
      weightVersion: batch.weightVersions[index]!,
      top: tops.get(index),
      finishReason: end?.finishReason,
      text: end?.text,
    });
  });
}
