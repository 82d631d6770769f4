import type { StagecraftError, ErrorCode } from "@stagecraft/core";

/** When and how fast a client repeats idempotent calls. */
export interface RetryPolicy {
  /** Attempts in all, the first included; default 4. 1 turns retries off. */
  maxAttempts: number;
  /** Upper bound of the wait before attempt 2; doubles per attempt. Default 100 ms. */
  initialBackoffMs: number;
  /** Default 2000 ms. */
  maxBackoffMs: number;
  /**
   * How long a call that no server has begun is tried again, however many attempts that takes: every
   * address may be restarting at the same moment. Default 5000 ms.
   */
  maxUnsentMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = {
  maxAttempts: 4,
  initialBackoffMs: 100,
  maxBackoffMs: 2000,
  maxUnsentMs: 5000,
};

/**
 * How far a failed call came. `refused`: a server that is going away sent it back before any handler
 * (or the connection closed before it was written); `unconnected`: no address had a connection;
 * `sent`: a handler may have run.
 */
export type CallProgress = "refused" | "unconnected" | "sent";

/** Reads it from the failure; grpc-js keeps the HTTP/2 code to itself and leaves only its texts. */
export function progressOf({ cause }: StagecraftError): CallProgress {
  const { details, metadata } = (cause ?? {}) as {
    details?: unknown;
    metadata?: { getMap?(): object };
  };
  // A status that carries metadata was written by a handler, whatever its text says.
  if (typeof details !== "string" || Object.keys(metadata?.getMap?.() ?? {}).length > 0)
    return "sent";
  if (details === "Stream refused by server") return "refused";
  if (details.startsWith("Failed to start HTTP/2 stream")) return "refused";
  return /^(round_robin: )?No connection established/.test(details) ? "unconnected" : "sent";
}

/**
 * Retries draw on a shared budget (gRFC A6): a failure takes one token, a success gives `tokenRatio`
 * back, and below half there are none, so that a dead service is not buried under repeats. The budget
 * is large because one killed server of two fails all its calls in flight at once, rightly repeated.
 */
export interface RetryThrottle {
  succeeded(): void;
  failed(): void;
  allows(): boolean;
}

export function createRetryThrottle({ maxTokens = 1000, tokenRatio = 0.1 } = {}): RetryThrottle {
  let tokens = maxTokens;
  return {
    succeeded: () => (tokens = Math.min(maxTokens, tokens + tokenRatio)),
    failed: () => (tokens = Math.max(0, tokens - 1)),
    allows: () => tokens > maxTokens / 2,
  };
}

/** What decides about another attempt. */
export interface RetryFacts {
  code: ErrorCode;
  progress: CallProgress;
  idempotent: boolean;
  /** Attempts that a server may have begun, this one included; unsent ones count no attempt. */
  attempt: number;
  /** Since the call began. */
  elapsedMs: number;
  /** A stream that delivered a message cannot start over. */
  started: boolean;
  policy: RetryPolicy;
  throttle: RetryThrottle;
}

/**
 * The decider: only UNAVAILABLE, and only what is safe to repeat. RESOURCE_EXHAUSTED is a queue that
 * must drain, DEADLINE_EXCEEDED has no time left, and neither gets better by repeating at once. A call
 * that a draining server refused is safe whatever the method does, and says nothing about the health
 * of the service: it counts neither as an attempt nor against the throttle (gRFC A6, transparent
 * retries). One without any connection is repeated where repeats were asked for.
 */
export function shouldRetry(facts: RetryFacts): boolean {
  const { code, progress, idempotent, attempt, started, policy, throttle } = facts;
  if (started || policy.maxAttempts === 1) return false;
  if (progress === "refused") return facts.elapsedMs < policy.maxUnsentMs;
  if (code !== "unavailable" || !idempotent) return false;
  if (progress === "unconnected") return facts.elapsedMs < policy.maxUnsentMs;
  return attempt < policy.maxAttempts && throttle.allows();
}

/** The delay before the next attempt: full jitter over an exponential bound. `random` in [0, 1). */
export function retryDelayMs(attempt: number, policy: RetryPolicy, random: number): number {
  const bound = Math.min(policy.maxBackoffMs, policy.initialBackoffMs * 2 ** (attempt - 1));
  return bound * random;
}

const MAX_UNSENT_DELAY_MS = 250;

/**
 * The delay after the `numUnsent`-th time that the call was not sent: none at first, since another
 * address is likely up, then 5 ms doubling to 250 ms with full jitter.
 */
export function unsentDelayMs(numUnsent: number, random: number): number {
  if (numUnsent <= 1) return 0;
  return Math.min(MAX_UNSENT_DELAY_MS, 5 * 2 ** Math.min(numUnsent - 1, 16)) * random;
}
