import { readdir } from "node:fs/promises";
import { join } from "node:path";
import {
  INTERRUPTED,
  lookAtRun,
  readRunRecord,
  type RunRecord,
  type RunState,
} from "@stagecraft/runs";
import { progressMark } from "./crash-ledger.js";
import { isTransient } from "./transient-failures.js";
import { readDesiredState, type DesiredState } from "./desired-state.js";
import type { RegisteredRun } from "./registered-run.js";

/** A run of an earlier process. */
export interface RestoredRun {
  record: RegisteredRun;
  /** It was to be working when that process ended: go on from its last checkpoint. */
  goesOn: boolean;
  /** Attempts in a row that crashed without getting further, the one that ended the process included. */
  crashes: number;
  /** The process died while it worked on this run. */
  died: boolean;
}

/**
 * The runs that stand in a runs folder, by the files of each; unreadable ones are left out. Those
 * that no trainer was asked for (a command ran them) are listed and left alone.
 */
export async function restoreRuns(runsDir: string): Promise<RestoredRun[]> {
  const entries = await readdir(runsDir, { withFileTypes: true }).catch(() => []);
  const folders = entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  const restored = await Promise.all(folders.map((name) => restoreRun(name, join(runsDir, name))));
  return restored.filter((run) => run !== undefined);
}

async function restoreRun(name: string, runDir: string): Promise<RestoredRun | undefined> {
  const desired = await readDesiredState(runDir);
  if (!desired) {
    const record = await lookAtCommand(name, runDir);
    return record && { crashes: 0, died: false, record, goesOn: false };
  }
  const stored = await readRunRecord(runDir).catch(() => undefined);
  const state = stateFrom(desired, stored);
  const { runId, stage, config } = desired;
  const createdAt = new Date(desired.createdAt);
  const known = stored
    ? registered(runId, runDir, stored)
    : { runDir, updatedAt: createdAt, attempt: 0 };
  const { error = INTERRUPTED, ...rest } = { error: undefined, ...known };
  const failed = state === "failed" && (stored || desired.failed);
  return {
    ...crashesOf(desired, runDir),
    record: {
      ...{ ...rest, runId, stage, config, createdAt, state },
      ...(failed && { error: desired.failed ?? error }),
    },
    goesOn: state === "pending",
  };
}

/** A run that a command began: while that lives, it is running elsewhere. Undefined: there is none. */
export async function lookAtCommand(
  name: string,
  runDir: string,
): Promise<RegisteredRun | undefined> {
  const stored = await lookAtRun(runDir).catch(() => undefined);
  return stored && registered(name, runDir, stored);
}

function crashesOf({ crashes = 0, workingFrom }: DesiredState, runDir: string) {
  if (workingFrom === undefined) return { crashes, died: false };
  return { crashes: progressMark(runDir) === workingFrom ? crashes + 1 : 1, died: true };
}

function stateFrom({ wanted, failed }: DesiredState, stored: RunRecord | undefined): RunState {
  if (stored?.state === "succeeded") return "succeeded";
  if (failed) return "failed";
  if (wanted !== "working") return wanted;
  if (stored?.state === "failed" && !isTransient(stored.error?.code)) return "failed";
  return "pending";
}

function registered(
  runId: string,
  runDir: string,
  stored: RunRecord & { heldBy?: string },
): RegisteredRun {
  const { stage, config, state, attempts, result, error, heldBy } = stored;
  return {
    ...{ runId, stage, config, runDir, state, attempt: attempts },
    createdAt: new Date(stored.startedAt),
    updatedAt: new Date(stored.updatedAt),
    ...(result && { result }),
    ...(state === "failed" && { error: error ?? INTERRUPTED }),
    ...(heldBy !== undefined && { heldBy }),
  };
}
