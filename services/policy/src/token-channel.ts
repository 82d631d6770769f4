import type { FinishReasonName } from "@stagecraft/contracts";
import type { StagecraftError } from "@stagecraft/core";
import type { TopToken } from "@stagecraft/model";
import type { TokenChunk } from "./engine.js";

/** One token on its way to its reader. */
export interface SampledToken {
  tokenId: number;
  logProb: number;
  weightVersion: number;
  /** Where they were asked for. */
  top?: readonly TopToken[] | undefined;
  finishReason: FinishReasonName | undefined;
  /** The whole answer, cut before a stop text; with the last token. */
  text: string | undefined;
}

/** Where the tokens of one answer go. */
export interface TokenSink {
  push(token: SampledToken): void;
  fail(error: StagecraftError): void;
}

/** Tokens of one answer; whatever gathered while the reader was busy comes as one chunk. */
export interface TokenChannel extends TokenSink {
  /** For one reader. Leaving the loop early calls `onAbandon`. */
  chunks(): AsyncGenerator<TokenChunk>;
}

/** `onAbandon` is called when the reader leaves before the answer has ended. */
export function createTokenChannel(onAbandon: () => void): TokenChannel {
  let gathered: SampledToken[] = [];
  let failure: StagecraftError | undefined;
  let wake = () => {};

  return {
    push(token) {
      gathered.push(token);
      wake();
    },
    fail(error) {
      failure ??= error;
      wake();
    },
    async *chunks() {
      let ended = false;
      try {
        while (!ended) {
          if (gathered.length > 0) {
            const tokens = gathered;
            gathered = [];
            ended = tokens.at(-1)!.finishReason !== undefined;
            yield toChunk(tokens);
          } else if (failure) {
            ended = true;
            throw failure;
          } else {
            await new Promise<void>((resolve) => (wake = resolve));
          }
        }
      } finally {
        if (!ended) onAbandon();
      }
    },
  };
}

function toChunk(tokens: readonly SampledToken[]): TokenChunk {
  const { finishReason, text } = tokens.at(-1)!;
  return {
    tokenIds: tokens.map((token) => token.tokenId),
    logProbs: tokens.map((token) => token.logProb),
    weightVersions: tokens.map((token) => token.weightVersion),
    tops: tokens[0]!.top && tokens.map((token) => token.top!),
    finishReason,
    text,
  };
}
