import type { ErrorCode } from "@stagecraft/core";
import type { StageProgress } from "@stagecraft/runs";

/** Failures that go away without anybody changing the run: a full disk, a broker or workers away. */
const TRANSIENT: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "resource_exhausted",
  "unavailable",
  "deadline_exceeded",
]);

/** Whether a run that failed with this code is worth another try from its last checkpoint. */
export function isTransient(code: ErrorCode | undefined): boolean {
  return code !== undefined && TRANSIENT.has(code);
}

const FIRST_DELAY_MS = 1000;
const MAX_DELAY_MS = 60_000;
/** A run that worked for so long before it failed has not failed in a row. */
const LONG_WORK_MS = 60_000;

/** Waits before failed runs are tried again: 1 s, doubling to 1 min while a run gets nowhere. */
export interface RetryDelays {
  /** The wait after a failure, in ms; `workedMs` is what the run worked since its last start. */
  next(runId: string, failed: { workedMs: number; progress?: StageProgress | undefined }): number;
}

/** Nothing has failed yet. */
export function createRetryDelays(): RetryDelays {
  const lastOf = new Map<string, { count: number; progress?: StageProgress | undefined }>();
  return {
    next(runId, { workedMs, progress }) {
      const last = lastOf.get(runId);
      const further = isFurther(progress, last?.progress);
      const inARow = last !== undefined && !further && workedMs <= LONG_WORK_MS;
      const count = inARow ? last.count + 1 : 1;
      lastOf.set(runId, { count, progress: further ? progress : last?.progress });
      return Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(count - 1, 16));
    },
  };
}

/** A step done again from the last checkpoint is no progress. */
function isFurther(progress: StageProgress | undefined, last: StageProgress | undefined): boolean {
  if (progress === undefined) return false;
  return last === undefined || (progress.unit === last.unit && progress.done > last.done);
}
