import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readRunRecord, runHolder } from "@stagecraft/runs";
import { progressMark } from "./crash-ledger.js";
import { isTransient } from "./transient-failures.js";
import { readDesiredState, type DesiredState } from "./desired-state.js";
import type { RunRecord, RunState } from "./run-record.js";

type StoredRun = NonNullable<Awaited<ReturnType<typeof readRunRecord>>>;

/** A run of an earlier process. */
export interface RestoredRun {
  record: RunRecord;
  /** It was to be working when that process ended: go on from its last checkpoint. */
  goesOn: boolean;
  /** Attempts in a row that crashed without getting further, the one that ended the process included. */
  crashes: number;
  /** The process died while it worked on this run. */
  died: boolean;
}

const STATES: Readonly<Record<StoredRun["status"], RunState>> = {
  finished: "succeeded",
  cancelled: "cancelled",
  failed: "failed",
  // Its process is gone; see recordOfCommand for one that lives.
  running: "failed",
};
const INTERRUPTED = "[aborted] the trainer ended while the run was working; resume it";

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
  const stored = await readRunRecord(runDir).catch(() => undefined);
  if (!desired) {
    if (!stored) return undefined;
    const record = await recordOfCommand(name, runDir, stored);
    return { ...NO_CRASH, record, goesOn: false };
  }
  const state = stateFrom(desired, stored);
  const { runId, stage, config } = desired;
  const createdAt = new Date(desired.createdAt);
  const known = stored
    ? recordOf(runId, runDir, stored)
    : { runDir, updatedAt: createdAt, attempt: 0 };
  const { error, ...rest } = { error: undefined, ...known };
  const why = desired.failed ?? error;
  const failed = state === "failed" && why ? { error: why } : {};
  return {
    ...crashesOf(desired, runDir),
    record: { ...rest, runId, stage, config, createdAt, state, ...failed },
    goesOn: state === "pending",
  };
}

/** A run that a command began: while that lives, it is running elsewhere. */
export async function recordOfCommand(
  name: string,
  runDir: string,
  stored: StoredRun,
): Promise<RunRecord> {
  const { error, ...record } = { error: undefined, ...recordOf(name, runDir, stored) };
  const heldBy = stored.status === "running" ? await runHolder(runDir) : undefined;
  return heldBy ? { ...record, state: "running", heldBy } : { ...record, ...(error && { error }) };
}

const NO_CRASH = { crashes: 0, died: false };

function crashesOf({ crashes = 0, workingFrom }: DesiredState, runDir: string) {
  if (workingFrom === undefined) return { crashes, died: false };
  return { crashes: progressMark(runDir) === workingFrom ? crashes + 1 : 1, died: true };
}

function stateFrom({ wanted, failed }: DesiredState, stored: StoredRun | undefined): RunState {
  if (stored?.status === "finished") return "succeeded";
  if (failed) return "failed";
  if (wanted !== "working") return wanted;
  if (stored?.status === "failed" && !isTransient(errorOf(stored).code)) return "failed";
  return "pending";
}

function recordOf(runId: string, runDir: string, stored: StoredRun): RunRecord {
  const state = STATES[stored.status];
  return {
    runId,
    stage: stored.stage,
    config: stored.config,
    runDir,
    createdAt: new Date(stored.startedAt),
    updatedAt: new Date(stored.updatedAt),
    state,
    attempt: stored.attempts,
    ...(stored.result ? { result: stored.result } : {}),
    ...(state === "failed" ? { error: errorOf(stored) } : {}),
  };
}

/** run.json keeps the message, which starts with the code. */
function errorOf({ error = INTERRUPTED }: StoredRun): { code: string; message: string } {
  const [, code = "internal", message = error] = /^\[(\w+)\] ([^]*)$/.exec(error) ?? [];
  return { code, message };
}
