import type { JsonObject } from "@stagecraft/core";
import type { RunRecord, RunState, StageProgress } from "@stagecraft/runs";

/** What the registry knows of a run; its configuration is as given, before defaults. */
export interface RegisteredRun extends Readonly<
  Pick<RunRecord, "stage" | "config" | "state" | "result" | "error">
> {
  readonly runId: string;
  /** Absolute. */
  readonly runDir: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly attempt: number;
  readonly progress?: StageProgress;
  /** Another process that works on it, such as a command's: this trainer only looks on. */
  readonly heldBy?: string;
}

/** What happens in a run. */
export type RunEvent =
  | { kind: "run"; run: RegisteredRun }
  | { kind: "progress"; progress: StageProgress }
  | { kind: "metrics"; metrics: JsonObject }
  | { kind: "log"; level: "info" | "warn"; text: string };

/** True once nothing more happens by itself. A paused run is only waiting. */
export function isEnded(state: RunState): boolean {
  return state === "succeeded" || state === "failed" || state === "cancelled";
}
