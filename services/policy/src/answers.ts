import { StagecraftError } from "@stagecraft/core";
import type { Cancellation } from "@stagecraft/rpc";
import type { TokenChunk } from "./engine.js";
import { createTokenChannel, type TokenSink } from "./token-channel.js";

/** Takes a sequence back, wherever it is; its sink fails with the error. */
export type Withdraw = (error: StagecraftError) => void;

/**
 * Gives each answer a channel that its reader reads and an engine fills. `start` hands the sinks to the
 * engine; a cancellation, and a reader that leaves, withdraw what it started.
 */
export function openAnswers(
  count: number,
  cancellation: Cancellation,
  start: (sinks: readonly TokenSink[]) => readonly Withdraw[],
): AsyncIterable<TokenChunk>[] {
  cancellation.throwIfCancelled();
  let withdraws: readonly Withdraw[] = [];
  const channels = Array.from({ length: count }, (_, i) =>
    createTokenChannel(() => withdraws[i]?.(new StagecraftError("cancelled", "not read on"))),
  );
  let unwatch: (() => void) | undefined;
  let numOpen = count;
  const onEnd = () => {
    numOpen--;
    if (numOpen === 0) unwatch?.(); // a cancellation may outlive many answers
  };
  withdraws = start(channels.map((channel) => watchEnd(channel, onEnd)));
  if (numOpen > 0) {
    unwatch = cancellation.onCancelled((cause) => {
      const error = new StagecraftError("cancelled", "the caller cancelled", { cause });
      for (const withdraw of withdraws) withdraw(error);
    });
  }
  return channels.map((channel) => channel.chunks());
}

/** The sink, with a call when its answer has ended one way or the other. */
function watchEnd(sink: TokenSink, onEnd: () => void): TokenSink {
  let open = true;
  const end = () => {
    if (open) onEnd();
    open = false;
  };
  return {
    push(chunk) {
      const isLast = chunk.finishReason !== undefined;
      sink.push(chunk);
      if (isLast) end();
    },
    fail(error) {
      sink.fail(error);
      end();
    },
  };
}
