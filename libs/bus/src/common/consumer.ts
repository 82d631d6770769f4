import { setMaxListeners } from "node:events";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { contextFromHeaders } from "@stagecraft/telemetry";
import type { BusMessage, Consumer } from "../bus.js";
import type { Broker, Delivery, PullSource, RequiredConsumerSpec } from "./broker.js";
import type { DeadLetterSink } from "./dead-letters.js";
import { HEADER } from "./headers.js";

export interface ConsumerParts {
  broker: Pick<Broker, "openPull">;
  storeDead: DeadLetterSink;
  /** Background failures (a dead letter that could not be stored); the message will come again. */
  onError(error: unknown): void;
  onSettled(subject: string, outcome: "ack" | "nak" | "term"): void;
  onRedelivered(subject: string): void;
}

interface Held {
  delivery: Delivery;
  sinceMs: number;
  settled: boolean;
}

/** See Consumer. One request is outstanding at a time: free prefetch and waiting readers. */
export async function openConsumer(
  spec: RequiredConsumerSpec,
  parts: ConsumerParts,
): Promise<Consumer> {
  const queue: Held[] = [];
  const held = new Set<Held>();
  const waiters = new Set<() => void>();
  let outstanding = 0;
  let closed = false;
  let source: PullSource | undefined;

  const wake = () => {
    for (const waiter of waiters) waiter();
    waiters.clear();
  };
  const pump = () => {
    const free = spec.prefetch + waiters.size - queue.length;
    const worthwhile = Math.max(1, Math.ceil(spec.prefetch / 2));
    if (closed || !source || outstanding > 0 || free < worthwhile) return;
    outstanding = free;
    source.request(free);
  };
  const settle = async (entry: Held, outcome: "ack" | "nak" | "term", act: () => Promise<void>) => {
    if (entry.settled) return;
    entry.settled = true;
    held.delete(entry);
    await act();
    parts.onSettled(entry.delivery.subject, outcome);
  };
  const giveUp = async (entry: Held, reason: string) => {
    await parts.storeDead(entry.delivery, spec, reason);
    await settle(entry, "term", () => entry.delivery.term());
  };

  const sink = {
    onDelivery(delivery: Delivery) {
      outstanding = Math.max(0, outstanding - 1);
      if (delivery.delivery > 1) parts.onRedelivered(delivery.subject);
      const entry: Held = { delivery, sinceMs: performance.now(), settled: false };
      held.add(entry);
      if (delivery.delivery > spec.maxDeliver) {
        const reason = `delivered ${spec.maxDeliver} times without being settled`;
        giveUp(entry, reason).catch((error: unknown) => {
          held.delete(entry); // it comes again after the ack wait
          parts.onError(error);
        });
      } else if (closed) {
        settle(entry, "nak", () => delivery.nak(0)).catch(parts.onError);
      } else {
        queue.push(entry);
      }
      wake();
      pump();
    },
    onSpent() {
      outstanding = 0;
      pump();
    },
  };

  const messageOf = (entry: Held): BusMessage => {
    const { delivery } = entry;
    const { subject, data, headers, sequence } = delivery;
    return {
      subject,
      data,
      headers,
      sequence,
      id: headers[HEADER.id] ?? headers[HEADER.dedupeId] ?? "",
      delivery: delivery.delivery,
      publishedAtMs: delivery.storedAtMs,
      trace: contextFromHeaders(headers),
      ack: () => settle(entry, "ack", () => delivery.ack()),
      nak: (delayMs = 0) => settle(entry, "nak", () => delivery.nak(delayMs)),
      term: (reason) => (entry.settled ? Promise.resolve() : giveUp(entry, reason)),
      working: () => {
        if (!entry.settled) delivery.working();
      },
    };
  };

  const keepAlive = () => {
    const now = performance.now();
    for (const entry of held) {
      if (now - entry.sinceMs > spec.maxHoldMs) held.delete(entry);
      else entry.delivery.working();
    }
    if (closed && held.size === 0) clearInterval(timer);
  };
  const timer = setInterval(() => {
    if (spec.keepAlive) keepAlive();
  }, spec.ackWaitMs / 3);
  timer.unref();

  const next = async (signal?: AbortSignal): Promise<BusMessage | undefined> => {
    for (;;) {
      throwIfAborted(signal);
      if (closed) return undefined;
      const entry = queue.shift();
      if (entry) {
        pump();
        if (!entry.settled) return messageOf(entry);
        continue;
      }
      const waiting = woken(waiters, signal);
      pump();
      await waiting;
    }
  };
  const close = async () => {
    if (closed) return;
    closed = true;
    wake();
    await source?.stop();
    const back = queue.splice(0);
    await Promise.allSettled(
      back.map((entry) => settle(entry, "nak", () => entry.delivery.nak(0))),
    );
    if (held.size === 0) clearInterval(timer);
  };

  try {
    source = await parts.broker.openPull(spec, sink);
  } catch (error) {
    clearInterval(timer);
    throw StagecraftError.from(error);
  }
  pump();
  return {
    next,
    numHeld: () => held.size,
    close,
    [Symbol.asyncDispose]: close,
    async *[Symbol.asyncIterator]() {
      for (let message = await next(); message; message = await next()) yield message;
    },
  };
}

function woken(waiters: Set<() => void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal) setMaxListeners(0, signal); // shared by many readers, each lets go
  return new Promise((resolve) => {
    const done = () => {
      waiters.delete(done);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    waiters.add(done);
    signal?.addEventListener("abort", done, { once: true });
  });
}
