import type { ErrorCode } from "@stagecraft/core";

/** Failures that go away without anybody changing the run: a full disk, a broker or workers away. */
const PASSING: ReadonlySet<string> = new Set<ErrorCode>([
  "resource_exhausted",
  "unavailable",
  "deadline_exceeded",
]);

/** Whether a run that failed with this code is worth another try from its last checkpoint. */
export function isPassing(code: string): boolean {
  return PASSING.has(code);
}

const FIRST_DELAY_MS = 1000;
const MAX_DELAY_MS = 60_000;

/** The wait before the try after the `numFailures`-th failure in a row: 1 s doubling to 1 min. */
export function retryRunDelayMs(numFailures: number): number {
  return Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(numFailures - 1, 16));
}
