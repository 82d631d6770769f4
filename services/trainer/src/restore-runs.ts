import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readRunRecord } from "@stagecraft/learn";
import type { RunRecord, RunState } from "./run-record.js";

type StoredRun = NonNullable<Awaited<ReturnType<typeof readRunRecord>>>;

const STATES: Readonly<Record<StoredRun["status"], RunState>> = {
  finished: "succeeded",
  cancelled: "cancelled",
  failed: "failed",
  // Its process is gone, or it would not be read now.
  running: "failed",
};

/** The runs that stand in a runs folder, by the run.json of each; unreadable ones are left out. */
export async function restoreRuns(runsDir: string): Promise<RunRecord[]> {
  const entries = await readdir(runsDir, { withFileTypes: true }).catch(() => []);
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const records = await Promise.all(folders.map((name) => restoreRun(name, join(runsDir, name))));
  return records.filter((record) => record !== undefined);
}

async function restoreRun(runId: string, runDir: string): Promise<RunRecord | undefined> {
  const stored = await readRunRecord(runDir).catch(() => undefined);
  if (!stored) return undefined;
  const state = STATES[stored.status];
  const interrupted = "the trainer ended while the run was working; resume it";
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
    ...(state === "failed"
      ? { error: { code: "aborted", message: stored.error ?? interrupted } }
      : {}),
  };
}
