import type { ErrorCode } from "@stagecraft/core";

/** When and how fast a client repeats idempotent calls. */
export interface RetryPolicy {
  /** Attempts in all, the first included; default 4. 1 turns retries off. */
  maxAttempts: number;
  /** Upper bound of the wait before attempt 2; doubles per attempt. Default 100 ms. */
  initialBackoffMs: number;
  /** Default 2000 ms. */
  maxBackoffMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = {
  maxAttempts: 4,
  initialBackoffMs: 100,
  maxBackoffMs: 2000,
};

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

/**
 * The decider: only UNAVAILABLE, and only what is safe to repeat. RESOURCE_EXHAUSTED is a queue that
 * must drain, DEADLINE_EXCEEDED has no time left, and neither gets better by repeating at once.
 */
export function shouldRetry(facts: {
  code: ErrorCode;
  idempotent: boolean;
  /** 1 for the first. */
  attempt: number;
  /** A stream that delivered a message cannot start over. */
  started: boolean;
  policy: RetryPolicy;
  throttle: RetryThrottle;
}): boolean {
  const { code, idempotent, attempt, started, policy, throttle } = facts;
  if (code !== "unavailable" || !idempotent || started) return false;
  return attempt < policy.maxAttempts && throttle.allows();
}

/** The delay before the next attempt: full jitter over an exponential bound. `random` in [0, 1). */
export function retryDelayMs(attempt: number, policy: RetryPolicy, random: number): number {
  const bound = Math.min(policy.maxBackoffMs, policy.initialBackoffMs * 2 ** (attempt - 1));
  return bound * random;
}
