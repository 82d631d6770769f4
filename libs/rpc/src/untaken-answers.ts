import { constants, type ServerHttp2Stream } from "node:http2";
import type { ServerInterceptingCallInterface } from "@grpc/grpc-js";
import { mostOf } from "./most-of.js";

/** For the status that grpc-js sends at the deadline; it arrives where nothing stands before it. */
const DEADLINE_GRACE_MS = 100;

/** Whose answer it is, and who is told that it was cut off. */
export interface AnsweredCall {
  method: string;
  /** A caller's name, else an address. */
  peer: string;
  onReset(reason: string): void;
}

/**
 * Answers whose callers stay but do not take them. Such a call is reset after its deadline, when nothing was
 * taken for `patienceMs`, and earlier where somebody else needs its place. grpc-js only puts a status behind
 * the answer, which then never leaves, and the handler is never told that the call is over.
 */
export interface UntakenAnswers {
  watch(call: ServerInterceptingCallInterface, about: AnsweredCall): void;
  /**
   * Resets a call of the method of whose answer nothing was taken lately: of the peer that has most of them
   * the one that stands longest. False when there is none.
   */
  makeRoom(method: string): boolean;
}

interface Stalled {
  peer: string;
  reset(reason: string): void;
}

/** See UntakenAnswers. */
export function createUntakenAnswers(patienceMs: number): UntakenAnswers {
  const stallMs = Math.min(1000, Math.ceil(patienceMs / 4));
  const stalled = new Map<string, Set<Stalled>>();
  const setOf = (method: string) => {
    const set = stalled.get(method) ?? new Set<Stalled>();
    stalled.set(method, set);
    return set;
  };
  return {
    watch(call, { method, peer, onReset }) {
      const stream = streamOf(call);
      const reset = (reason: string) => {
        if (stream.closed || stream.writableFinished) return;
        onReset(reason);
        stream.close(constants.NGHTTP2_CANCEL);
      };
      const calls = setOf(method);
      const own: Stalled = { peer, reset };
      const onStall = (stalledMs: number) => {
        if (stalledMs > 0 && !stream.closed) calls.add(own);
        else calls.delete(own);
        if (stalledMs >= patienceMs) reset(`nothing of the answer was taken for ${patienceMs} ms`);
      };
      watchStalls(stream, stallMs, onStall);
      stream.once("close", () => calls.delete(own));
      atDeadline(call, () => reset("the answer was not taken by the deadline"));
    },
    makeRoom(method) {
      const calls = setOf(method);
      const victim = mostOf(calls, ({ peer }) => peer);
      if (!victim) return false;
      calls.delete(victim);
      victim.reset("nothing of the answer was taken, and its place was needed");
      return true;
    },
  };
}

/** Tells every `everyMs` for how long nothing of what was written has been taken; 0 when nothing waits. */
function watchStalls(
  stream: ServerHttp2Stream,
  everyMs: number,
  onStall: (stalledMs: number) => void,
): void {
  let stalledMs = 0;
  let toldAt = -Infinity;
  const look = () => {
    const now = performance.now();
    // The stream's timer starts anew with whatever moves: then more time has passed than one turn.
    const isSame = now - toldAt < 1.5 * everyMs;
    toldAt = now;
    stalledMs = stream.writableLength === 0 ? 0 : isSame ? stalledMs + everyMs : everyMs;
    onStall(stalledMs);
    if (!stream.closed) stream.setTimeout(everyMs, look);
  };
  stream.setTimeout(everyMs, look);
}

function atDeadline(call: ServerInterceptingCallInterface, then: () => void): void {
  const leftMs = Number(call.getDeadline()) - Date.now() + DEADLINE_GRACE_MS;
  if (leftMs > MAX_TIMER_MS) return;
  const timer = setTimeout(then, leftMs).unref();
  streamOf(call).once("close", () => clearTimeout(timer));
}

/** Longer ones fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What the answer is written to; grpc-js hands it out nowhere. Our interceptor is its only one. */
function streamOf(call: ServerInterceptingCallInterface): ServerHttp2Stream {
  return (call as unknown as { stream: ServerHttp2Stream }).stream;
}
