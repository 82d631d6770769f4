import { open } from "node:fs/promises";
import { join } from "node:path";
import { trainer } from "@stagecraft/contracts";
import { parseMetrics, type RunFile } from "@stagecraft/report";
import type { RunItem, RunStateName } from "../http/api/index.js";

const STATES: Readonly<Record<trainer.RunState, RunStateName>> = {
  [trainer.RunState.UNSPECIFIED]: "unknown",
  [trainer.RunState.PENDING]: "pending",
  [trainer.RunState.RUNNING]: "running",
  [trainer.RunState.PAUSED]: "paused",
  [trainer.RunState.SUCCEEDED]: "succeeded",
  [trainer.RunState.FAILED]: "failed",
  [trainer.RunState.CANCELLED]: "cancelled",
  [trainer.RunState.UNRECOGNIZED]: "unknown",
};

/** A run as the trainer tells it. */
export function itemOfTrainer(id: string, run: trainer.Run): RunItem {
  const { progress, error } = run;
  return {
    ...{ runId: id, name: run.runId, stage: run.stage, state: STATES[run.state] },
    startedAt: run.createdAt?.toISOString() ?? "",
    updatedAt: run.updatedAt?.toISOString() ?? "",
    progress: progress
      ? { done: progress.done, total: progress.total, unit: progress.unit, note: progress.note }
      : null,
    error: error ? error.message : null,
    isControlled: run.heldBy === "",
  };
}

/** A run as its directory tells it. */
export async function itemOfDirectory(
  id: string,
  { dir, name, file }: { dir: string; name: string; file: RunFile },
): Promise<RunItem> {
  const { stage, state, config, startedAt, updatedAt, error } = file;
  const done = await lastStep(join(dir, "metrics.jsonl"));
  const total = Number(config["steps"] ?? config["updates"] ?? 0);
  return {
    ...{ runId: id, name, stage, startedAt, updatedAt },
    state: Object.values(STATES).find((known) => known === state) ?? "unknown",
    progress: done === undefined ? null : { done, total, unit: "steps", note: "" },
    error: error ? error.message : null,
    isControlled: false,
  };
}

const TAIL_BYTES = 16_384;

/** The last step that was written down, from the end of the file. */
async function lastStep(file: string): Promise<number | undefined> {
  try {
    await using handle = await open(file, "r");
    const { size } = await handle.stat();
    const start = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(
      Buffer.alloc(size - start),
      0,
      size - start,
      start,
    );
    const text = buffer.toString("utf8", 0, bytesRead);
    const { records } = parseMetrics(start === 0 ? text : text.slice(text.indexOf("\n") + 1));
    const step = records.findLast((record) => typeof record["step"] === "number")?.["step"];
    return typeof step === "number" ? step : undefined;
  } catch {
    return undefined; // not there, or not readable: the list shows the run without progress
  }
}
