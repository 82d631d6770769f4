import type { SampledToken, TokenSink } from "./token-channel.js";
import type { TokenBatch } from "./thread-protocol.js";

/** Gathers the tokens of a step from the sinks of all answers. */
export interface TokenBatcher {
  add(handle: number, token: SampledToken): void;
  /** What has gathered; undefined when nothing has. */
  take(): TokenBatch | undefined;
}

/** One message for a step instead of one for each answer. */
export function createTokenBatcher(): TokenBatcher {
  let gathered: { handle: number; token: SampledToken }[] = [];
  return {
    add: (handle, token) => gathered.push({ handle, token }),
    take() {
      const step = gathered;
      gathered = [];
      if (step.length === 0) return undefined;
      return {
        handles: Int32Array.from(step, ({ handle }) => handle),
        tokenIds: Int32Array.from(step, ({ token }) => token.tokenId),
        logProbs: Float64Array.from(step, ({ token }) => token.logProb),
        weightVersions: Float64Array.from(step, ({ token }) => token.weightVersion),
        tops: step.flatMap(({ token: { top } }, index) => (top ? [{ index, top }] : [])),
        ends: step.flatMap(({ token: { finishReason, text } }, index) =>
          finishReason === undefined ? [] : [{ index, finishReason, text }],
        ),
      };
    },
  };
}

/** Hands the tokens of a step to the sinks of their answers; those withdrawn meanwhile have none. */
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
