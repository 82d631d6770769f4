import { constants, type ServerHttp2Stream } from "node:http2";
import type { ServerInterceptingCallInterface } from "@grpc/grpc-js";

/** For the status that grpc-js sends at the deadline; it arrives where nothing stands before it. */
const DEADLINE_GRACE_MS = 100;

/**
 * Resets a call whose caller stays but does not take the answer: after its deadline, or when nothing was
 * taken for `patienceMs`. grpc-js only puts a status behind the answer, which then never leaves, and the
 * handler is never told that the call is over.
 */
export function resetUntaken(
  call: ServerInterceptingCallInterface,
  patienceMs: number,
  onReset: (reason: string) => void,
): void {
  const stream = streamOf(call);
  const reset = (reason: string) => {
    if (stream.closed || stream.writableFinished) return;
    onReset(reason);
    stream.close(constants.NGHTTP2_CANCEL);
  };
  stream.setTimeout(patienceMs, () => {
    if (stream.writableLength > 0) reset(`nothing of the answer was taken for ${patienceMs} ms`);
  });
  const leftMs = Number(call.getDeadline()) - Date.now() + DEADLINE_GRACE_MS;
  if (leftMs > MAX_TIMER_MS) return;
  const timer = setTimeout(() => reset("the answer was not taken by the deadline"), leftMs).unref();
  stream.once("close", () => clearTimeout(timer));
}

/** Longer ones fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What the answer is written to; grpc-js hands it out nowhere. Our interceptor is its only one. */
function streamOf(call: ServerInterceptingCallInterface): ServerHttp2Stream {
  return (call as unknown as { stream: ServerHttp2Stream }).stream;
}
