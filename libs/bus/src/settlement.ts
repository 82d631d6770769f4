import { isCancelled, StagecraftError, type ErrorCode } from "@stagecraft/core";

/** What becomes of a message whose handler threw. */
export type Settlement = { kind: "nak"; delayMs: number } | { kind: "term"; reason: string };

/** Failures that every repeat would meet again. */
const PERMANENT: ReadonlySet<ErrorCode> = new Set([
  "invalid_argument",
  "data_loss",
  "unimplemented",
]);
/** Failures of what a handler needs, not of the message: it is worth waiting for. */
const OF_INFRASTRUCTURE: ReadonlySet<ErrorCode> = new Set([
  "unavailable",
  "deadline_exceeded",
  "resource_exhausted",
  "aborted",
]);
/** Deliveries, over some 4 s, after which any other failure counts as permanent. */
const MAX_TRIES = 5;
const MAX_DELAY_MS = 30_000;

/**
 * The mapping of errors to the bus: a stopped worker gives the message back at once, a message that
 * can never be handled becomes a dead letter, and so does one that failed 5 times by anything but its
 * surroundings. The rest is tried later (0.25 s doubling to 30 s, upper half random) until the
 * consumer's `maxDeliver`. `random` in [0, 1).
 */
export function settlementFor(thrown: unknown, delivery: number, random: number): Settlement {
  if (isCancelled(thrown)) return { kind: "nak", delayMs: 0 };
  const error = StagecraftError.from(thrown);
  const isHopeless = delivery >= MAX_TRIES && !OF_INFRASTRUCTURE.has(error.code);
  if (PERMANENT.has(error.code) || isHopeless) return { kind: "term", reason: error.message };
  const bound = Math.min(MAX_DELAY_MS, 250 * 2 ** Math.min(delivery - 1, 16));
  return { kind: "nak", delayMs: Math.round(bound * (0.5 + random / 2)) };
}
