import { StagecraftError } from "@stagecraft/core";

/** How often each client may call a method. */
export interface CallQuotas {
  /** Counts a call, or throws `resource_exhausted` with the time to wait in its details. */
  take(client: string, method: string): void;
}

interface Bucket {
  tokens: number;
  filledAt: number;
}

const MINUTE_MS = 60_000;
/** Clients remembered for a method; beyond it those are forgotten that have their whole quota again. */
const MAX_CLIENTS = 10_000;

/**
 * Token buckets by client and method: a quota of n a minute allows n at once and n a minute from then
 * on. Methods by name (`CreateRun`) or full path; others are not counted.
 */
export function createCallQuotas(
  perMinute: Readonly<Record<string, number>>,
  now: () => number = () => performance.now(),
): CallQuotas {
  const methods = new Map<string, Map<string, Bucket>>();
  return {
    take(client, method) {
      const quota = perMinute[method] ?? perMinute[method.slice(method.lastIndexOf("/") + 1)];
      if (quota === undefined) return;
      const buckets = methods.get(method) ?? new Map<string, Bucket>();
      methods.set(method, buckets);
      const bucket = buckets.get(client) ?? { tokens: quota, filledAt: now() };
      const earned = ((now() - bucket.filledAt) / MINUTE_MS) * quota;
      const tokens = Math.min(quota, bucket.tokens + earned);
      if (tokens < 1) throw exceeded(method, quota, ((1 - tokens) * MINUTE_MS) / quota);
      buckets.set(client, { tokens: tokens - 1, filledAt: now() });
      if (buckets.size > MAX_CLIENTS) forgetFull(buckets, now() - MINUTE_MS);
    },
  };
}

/** A bucket untouched for a minute is full: as if it had never been. */
function forgetFull(buckets: Map<string, Bucket>, before: number): void {
  for (const [client, { filledAt }] of buckets) if (filledAt < before) buckets.delete(client);
}

function exceeded(method: string, quota: number, waitMs: number): StagecraftError {
  return new StagecraftError(
    "resource_exhausted",
    `${method}: ${quota} calls a minute for each client are used up; try again in ${Math.ceil(waitMs / 1000)} s`,
    { details: { quota, retryAfterMs: Math.ceil(waitMs) } },
  );
}
