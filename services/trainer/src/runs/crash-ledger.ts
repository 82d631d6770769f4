import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** Crashes in a row of each run, and whether it got further in between. */
export interface CrashLedger {
  /** What an earlier process knew. */
  restore(runId: string, crashes: number): void;
  /** The run begins an attempt. */
  begin(runId: string, runDir: string): void;
  /** The attempt crashed; the number in a row, 1 when the run had got further. */
  crashed(runId: string, runDir: string): number;
  /** Whether the run has got further in this attempt, or never crashed. */
  isProven(runId: string, runDir: string): boolean;
  /** Crashes in a row. */
  count(runId: string): number;
  /** Somebody asked for the run anew, or it ended in good order. */
  forget(runId: string): void;
}

/** Nothing has crashed yet. */
export function createCrashLedger(): CrashLedger {
  const counts = new Map<string, number>();
  const marks = new Map<string, string>();
  const count = (runId: string) => counts.get(runId) ?? 0;
  const isFurther = (runId: string, runDir: string) =>
    marks.has(runId) && progressMark(runDir) !== marks.get(runId);
  return {
    restore: (runId, crashes) => void counts.set(runId, crashes),
    begin: (runId, runDir) => void marks.set(runId, progressMark(runDir)),
    crashed(runId, runDir) {
      counts.set(runId, isFurther(runId, runDir) ? 1 : count(runId) + 1);
      return count(runId);
    },
    isProven: (runId, runDir) => count(runId) === 0 || isFurther(runId, runDir),
    count,
    forget: (runId) => void counts.delete(runId),
  };
}

/** Changes when a run has kept something: a checkpoint, answers. */
export function progressMark(runDir: string): string {
  return `${textOf(join(runDir, "checkpoints", "LATEST"))}/${sizeOf(join(runDir, "answers.jsonl"))}`;
}

const FIRST_DELAY_MS = 1000;
const MAX_DELAY_MS = 60_000;

/** The wait after so many crashes in a row: the first is taken for an accident. */
export function crashDelayMs(crashes: number): number {
  return crashes <= 1 ? 0 : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (crashes - 2));
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "";
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
