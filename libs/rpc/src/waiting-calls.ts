import { StagecraftError } from "@stagecraft/core";
import { mostOf } from "./most-of.js";

export interface WaitingLimits {
  /** How long a request may take to arrive. */
  receiveTimeoutMs: number;
  /** How long the caller of a stream may be silent while nothing is owed to it. */
  streamIdleMs: number;
}

/** A call that the server may have to wait for. It waits until told otherwise. */
export interface WaitingCall {
  /** A message of the caller has arrived. */
  received(): void;
  /** An answer has left. */
  sent(): void;
  /** The request is complete: from now on it is the server's turn. */
  complete(): void;
  /** The call has ended. */
  close(): void;
}

export interface WaitingCallInfo {
  method: string;
  /** Whose call it is: a caller's name, else an address. */
  peer: string;
  requestStream: boolean;
  responseStream: boolean;
  /** Ends the call with a status. */
  end(reason: StagecraftError): void;
}

/**
 * The calls of which the server waits for more, so that a caller who sends half a request, or opens a
 * stream and says nothing, holds a place for a while only, and never one that somebody else needs.
 */
export interface WaitingCalls {
  open(info: WaitingCallInfo): WaitingCall;
  /**
   * Ends a call of the method to make room: of the peer that has most of them waiting the one that
   * waits longest. False when none waits.
   */
  makeRoom(method: string): boolean;
}

/** None waits at first. Looks at the clock while some do. */
export function createWaitingCalls(limits: WaitingLimits): WaitingCalls {
  const waiting = new Map<string, Set<Call>>();
  let timer: NodeJS.Timeout | undefined;
  const setOf = (method: string) => {
    const set = waiting.get(method) ?? new Set<Call>();
    waiting.set(method, set);
    return set;
  };
  const sweep = () => {
    const now = performance.now();
    const all = [...waiting.values()].flatMap((set) => [...set]);
    for (const call of all) if (now >= call.since + call.patienceMs(limits)) call.giveUp(limits);
    if (all.length > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
  const everyMs = Math.min(1000, Math.min(limits.receiveTimeoutMs, limits.streamIdleMs) / 4);
  return {
    open(info) {
      timer ??= setInterval(sweep, everyMs).unref();
      return new Call(info, setOf(info.method));
    },
    makeRoom(method) {
      const victim = mostOf(setOf(method), ({ info }) => info.peer);
      victim?.leave();
      victim?.info.end(
        new StagecraftError(
          "resource_exhausted",
          `${method}: the place was needed while the call waited for its caller; send requests whole`,
        ),
      );
      return victim !== undefined;
    },
  };
}

class Call implements WaitingCall {
  since = performance.now();
  private numOwed = 0;
  private done = false;

  constructor(
    readonly info: WaitingCallInfo,
    private readonly calls: Set<Call>,
  ) {
    this.calls.add(this);
  }

  received(): void {
    if (!this.info.requestStream) return; // complete() tells
    if (this.info.responseStream) this.numOwed++;
    this.waitAnew();
  }

  sent(): void {
    this.numOwed--;
    this.waitAnew();
  }

  complete(): void {
    this.close();
  }

  close(): void {
    this.done = true;
    this.leave();
  }

  leave(): void {
    this.calls.delete(this);
  }

  patienceMs({ receiveTimeoutMs, streamIdleMs }: WaitingLimits): number {
    return this.info.requestStream ? streamIdleMs : receiveTimeoutMs;
  }

  giveUp(limits: WaitingLimits): void {
    this.close();
    const { method, requestStream, end } = this.info;
    const what = requestStream ? "its caller was silent for" : "the request did not arrive within";
    const reason = `${method}: ${what} ${this.patienceMs(limits)} ms`;
    end(new StagecraftError("deadline_exceeded", reason));
  }

  private waitAnew(): void {
    this.leave();
    if (this.done || this.numOwed > 0) return;
    this.since = performance.now();
    this.calls.add(this);
  }
}
