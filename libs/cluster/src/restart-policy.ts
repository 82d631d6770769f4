/** When a process that ended is started again. */
export interface RestartPolicy {
  /** Wait after the first failure; doubles with each further one. */
  initialMs: number;
  maxMs: number;
  /** A process that served so long has recovered: its next failure counts as the first. */
  stableMs: number;
  /** So many failures in a row are called a crash loop. */
  crashLoopAfter: number;
}

/** Starts again at once in effect, and within half a minute for ever. */
export const DEFAULT_RESTART: RestartPolicy = {
  initialMs: 250,
  maxMs: 30_000,
  stableMs: 10_000,
  crashLoopAfter: 5,
};

/** Failures in a row, a run that has just ended included. */
export function failuresInARow(before: number, servedMs: number, policy: RestartPolicy): number {
  return servedMs >= policy.stableMs ? 1 : before + 1;
}

/** The wait before the next start. */
export function restartDelayMs(failures: number, { initialMs, maxMs }: RestartPolicy): number {
  return Math.min(maxMs, initialMs * 2 ** Math.max(0, failures - 1));
}
