import type { JsonObject } from "@stagecraft/core";
import type { StageProgress, StageResult } from "@stagecraft/runs";

export type RunState = "pending" | "running" | "paused" | "succeeded" | "failed" | "cancelled";

/** What the registry knows of a run. */
export interface RunRecord {
  readonly runId: string;
  readonly stage: string;
  /** As given, before defaults. */
  readonly config: JsonObject;
  /** Absolute. */
  readonly runDir: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly state: RunState;
  readonly attempt: number;
  readonly progress?: StageProgress;
  readonly result?: StageResult;
  readonly error?: { code: string; message: string };
  /** Another process that works on it, such as a command's: this trainer only looks on. */
  readonly heldBy?: string;
}

/** What happens in a run. */
export type RunEvent =
  | { kind: "run"; run: RunRecord }
  | { kind: "progress"; progress: StageProgress }
  | { kind: "metrics"; metrics: JsonObject }
  | { kind: "log"; level: "info" | "warn"; text: string };

/** True once nothing more happens by itself. A paused run is only waiting. */
export function isEnded(state: RunState): boolean {
  return state === "succeeded" || state === "failed" || state === "cancelled";
}
