import type { Topology } from "@stagecraft/bus";
import type { JsonObject } from "@stagecraft/core";
import type { StageProgress, StageResult } from "@stagecraft/runs";
import type { TrainerConfig } from "../config.js";
import type { TrainerStageContext } from "../runs/trainer-stage.js";

/** What the thread of a run is started with: plain data, as everything in this file. */
export interface RunThreadData {
  config: TrainerConfig;
  topology: Topology;
  /** Number of the lease that the process holds. */
  epoch: number;
}

export type RunThreadApi = {
  /** `config` is what the stage's schema made of the caller's. */
  run(args: {
    stage: string;
    config: unknown;
    context: Omit<TrainerStageContext, "signal" | "reporter" | "onPhase">;
  }): Promise<StageResult>;
};

/** What the thread tells by itself: the calls of its reporter. */
export type RunThreadEvent =
  | { kind: "progress"; progress: StageProgress }
  | { kind: "metrics"; metrics: JsonObject }
  | { kind: "info" | "warn"; text: string };

/** Whether the process still holds the lease; see Lease.confirm(). */
export interface LeaseQuestion {
  fresh: boolean;
}
