import { trainer } from "@stagecraft/contracts";
import type { RunState, StageProgress } from "@stagecraft/runs";
import type { Logged } from "./event-log.js";
import type { RegisteredRun, RunEvent } from "./registered-run.js";

const STATES: Readonly<Record<RunState, trainer.RunState>> = {
  pending: trainer.RunState.PENDING,
  running: trainer.RunState.RUNNING,
  paused: trainer.RunState.PAUSED,
  succeeded: trainer.RunState.SUCCEEDED,
  failed: trainer.RunState.FAILED,
  cancelled: trainer.RunState.CANCELLED,
};

/** A run of a command may have a configuration that no caller could have given. */
const MAX_CONFIG_BYTES = 256 * 1024;

/** The wire form of a run; a configuration that is too large for an answer is left out, which is said. */
export function toRunMessage(run: RegisteredRun): trainer.Run {
  const message = wholeRunMessage(run);
  if (Buffer.byteLength(JSON.stringify(run.config)) <= MAX_CONFIG_BYTES) return message;
  return { ...message, config: undefined, configOmitted: true };
}

/** Bytes of its wire form. */
export function sizeOfRun(run: RegisteredRun): number {
  return trainer.Run.encode(toRunMessage(run)).finish().length;
}

function wholeRunMessage(run: RegisteredRun): trainer.Run {
  const { result } = run;
  return {
    configOmitted: false,
    runId: run.runId,
    stage: run.stage,
    state: STATES[run.state],
    config: run.config,
    runDir: run.runDir,
    createdAt: run.createdAt,
    updatedAt: run.updatedAt,
    progress: run.progress && toProgressMessage(run.progress),
    result: result && {
      modelDir: result.modelDir ?? "",
      outputs: result.outputs,
      metrics: result.metrics,
    },
    error: run.error && { details: undefined, ...run.error },
    attempt: run.attempt,
    heldBy: run.heldBy ?? "",
  };
}

/** The wire form of an event. */
export function toEventMessage(logged: Logged<RunEvent>): trainer.WatchRunResponse {
  const { sequence, time } = logged;
  return { sequence: BigInt(sequence), time, event: eventOf(logged.event) };
}

function eventOf(event: RunEvent): trainer.WatchRunResponse["event"] {
  switch (event.kind) {
    case "run":
      return { $case: "run", value: toRunMessage(event.run) };
    case "progress":
      return { $case: "progress", value: toProgressMessage(event.progress) };
    case "metrics":
      return { $case: "metrics", value: event.metrics };
    case "log": {
      const { INFO, WARN } = trainer.LogLevel;
      return {
        $case: "log",
        value: { level: event.level === "warn" ? WARN : INFO, text: event.text },
      };
    }
  }
}

function toProgressMessage(progress: StageProgress): trainer.StageProgress {
  const { stage, done, total, unit, tokensPerSecond, note = "" } = progress;
  return { stage, done, total, unit, tokensPerSecond, note };
}
