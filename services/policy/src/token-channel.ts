import type { StagecraftError } from "@stagecraft/core";
import type { TokenChunk } from "./engine.js";

/** Where the tokens of one answer go. */
export interface TokenSink {
  /** Takes the chunk over. */
  push(chunk: TokenChunk): void;
  fail(error: StagecraftError): void;
}

/** Tokens of one answer; whatever gathered while the reader was busy comes as one chunk. */
export interface TokenChannel extends TokenSink {
  /** For one reader, once. Leaving the loop early calls `onAbandon`. */
  chunks(): AsyncIterable<TokenChunk>;
}

/** Appends the tokens that follow. */
export function appendChunk(chunk: TokenChunk, more: TokenChunk): void {
  chunk.tokenIds.push(...more.tokenIds);
  chunk.logProbs.push(...more.logProbs);
  chunk.weightVersions.push(...more.weightVersions);
  if (more.tops) (chunk.tops ??= []).push(...more.tops);
  chunk.finishReason = more.finishReason;
  chunk.text = more.text;
}

interface Reader {
  resolve(result: IteratorResult<TokenChunk>): void;
  reject(error: StagecraftError): void;
}

const END: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** `onAbandon` is called when the reader leaves before the answer has ended. */
export function createTokenChannel(onAbandon: () => void): TokenChannel {
  let gathered: TokenChunk | undefined;
  let failure: StagecraftError | undefined;
  let reader: Reader | undefined;
  let ended = false;

  const handOver = (chunk: TokenChunk): IteratorResult<TokenChunk> => {
    ended = chunk.finishReason !== undefined;
    return { done: false, value: chunk };
  };
  // An iterator and no generator: a stream of tokens passes here.
  const iterator: AsyncIterator<TokenChunk> = {
    next() {
      if (gathered) {
        const chunk = gathered;
        gathered = undefined;
        return Promise.resolve(handOver(chunk));
      }
      if (ended) return Promise.resolve(END);
      if (failure) {
        ended = true;
        return Promise.reject(failure);
      }
      return new Promise((resolve, reject) => (reader = { resolve, reject }));
    },
    return() {
      const isEarly = !ended;
      ended = true;
      gathered = undefined;
      reader?.resolve(END);
      reader = undefined;
      if (isEarly) onAbandon();
      return Promise.resolve(END);
    },
  };
  return {
    push(chunk) {
      if (reader) {
        const { resolve } = reader;
        reader = undefined;
        resolve(handOver(chunk));
      } else if (gathered) appendChunk(gathered, chunk);
      else if (!ended) gathered = chunk;
    },
    fail(error) {
      if (reader) {
        const { reject } = reader;
        reader = undefined;
        ended = true;
        reject(error);
      } else failure ??= error;
    },
    chunks: () => ({ [Symbol.asyncIterator]: () => iterator }),
  };
}
