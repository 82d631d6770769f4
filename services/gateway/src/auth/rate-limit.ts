import { StagecraftError } from "@stagecraft/core";

/** Counts events by key in windows of a minute; keys of windows that are over are forgotten. */
export interface RateLimit {
  /** Throws `resource_exhausted` when the key has had its share. */
  take(key: string): void;
  /** Whether the key has its share already; takes nothing. */
  isSpent(key: string): boolean;
}

export interface RateLimitOptions {
  perWindow: number;
  windowMs?: number;
  now(): number;
  /** Told to whoever is refused. */
  what: string;
}

/** See RateLimit. */
export function createRateLimit({
  perWindow,
  windowMs = 60_000,
  now,
  what,
}: RateLimitOptions): RateLimit {
  let windowStart = -Infinity;
  let counts = new Map<string, number>();
  const countOf = (key: string) => {
    if (now() - windowStart >= windowMs) {
      windowStart = now();
      counts = new Map();
    }
    return counts.get(key) ?? 0;
  };
  const isSpent = (key: string) => countOf(key) >= perWindow;
  return {
    isSpent,
    take(key) {
      if (isSpent(key)) throw tooMany(what, windowStart + windowMs - now());
      counts.set(key, countOf(key) + 1);
    },
  };
}

function tooMany(what: string, waitMs: number): StagecraftError {
  const seconds = Math.ceil(waitMs / 1000);
  return new StagecraftError("resource_exhausted", `too many ${what}`, {
    details: { advice: `wait ${seconds} seconds and try again` },
  });
}
