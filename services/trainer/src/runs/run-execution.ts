import { isCancelled, toErrorRecord, type JsonObject } from "@stagecraft/core";
import { stopReason, type StageReporter, type StageResult } from "@stagecraft/runs";
import type { Logger } from "@stagecraft/telemetry";
import { createEventLog, type EventLog } from "./event-log.js";
import type { RunEvent, RegisteredRun } from "./registered-run.js";
import type { TrainerStageContext } from "./trainer-stage.js";

/** One run: its record, its events, and the stage while it works. */
export interface ManagedRun {
  readonly record: RegisteredRun;
  readonly log: EventLog<RunEvent>;
  /** Changes the record and tells the watchers. */
  update(change: Partial<RegisteredRun>): void;
  /**
   * Runs the stage to its end, whatever that is; never rejects. Does nothing if it was stopped while
   * it waited.
   */
  execute(
    stage: (context: TrainerStageContext) => Promise<StageResult>,
    how: StartMode,
  ): Promise<void>;
  /** Asks the stage to checkpoint and end in this state; resolves when it has ended. */
  stop(state: "paused" | "cancelled"): Promise<void>;
}

export interface StartMode {
  resume: boolean;
  overwrite: boolean;
  /** See StageContext. */
  epoch?: number | undefined;
}

/** More than a run has events while one process works on it. */
const EVENTS_PER_EPOCH = 2 ** 32;

/** A run in state pending that nobody has started. */
export function createManagedRun(
  initial: RegisteredRun,
  options: {
    eventsKept: number;
    logger: Logger;
    /** Of the trainer's lease; events of a later one have larger numbers. */
    epoch?: number | undefined;
    /** Whether a failure leaves the run pending, to be started again. */
    mayRetry(thrown: unknown): boolean;
  },
): ManagedRun {
  const { eventsKept, logger, epoch = 0, mayRetry } = options;
  let record = initial;
  // Whoever watched a trainer that died asks its successor for what came after; see runRemotely().
  const log = createEventLog<RunEvent>(eventsKept, epoch * EVENTS_PER_EPOCH);
  let controller = new AbortController();
  let stopAs: "paused" | "cancelled" = "cancelled";
  let ended = Promise.resolve();

  const update = (change: Partial<RegisteredRun>) => {
    record = { ...record, ...change, updatedAt: new Date() };
    log.append({ kind: "run", run: record });
  };
  const reporter: StageReporter = {
    progress: (progress) => {
      record = { ...record, progress };
      log.append({ kind: "progress", progress });
    },
    metrics: (metrics: JsonObject) => log.append({ kind: "metrics", metrics }),
    info: (text) => log.append({ kind: "log", level: "info", text }),
    warn: (text) => log.append({ kind: "log", level: "warn", text }),
  };
  const work = async (
    stage: (context: TrainerStageContext) => Promise<StageResult>,
    how: StartMode,
  ) => {
    const { runId, runDir } = record;
    record = withoutError(record);
    update({ state: "running", attempt: record.attempt + 1 });
    try {
      const context = { runId, runDir, signal: controller.signal, reporter, ...how };
      update({ state: "succeeded", result: await stage(context) });
    } catch (thrown) {
      const outcome = outcomeOf(thrown, controller.signal, stopAs);
      const again = outcome.error !== undefined && mayRetry(thrown);
      update(again ? { ...outcome, state: "pending" } : outcome);
      if (again) logger.warn({ runId, err: thrown }, "the run failed and is tried again");
      else if (record.state === "failed") logger.error({ runId, err: thrown }, "the run failed");
    }
  };

  return {
    get record() {
      return record;
    },
    log,
    update,
    execute(stage, how) {
      if (record.state !== "pending") return ended;
      controller = new AbortController();
      return (ended = work(stage, how));
    },
    async stop(state) {
      if (record.state === "pending") return update({ state });
      stopAs = state;
      controller.abort(stopReason(state));
      await ended;
    },
  };
}

function withoutError({ error: _, ...record }: RegisteredRun): RegisteredRun {
  return record;
}

function outcomeOf(
  thrown: unknown,
  signal: AbortSignal,
  stopAs: "paused" | "cancelled",
): Partial<RegisteredRun> {
  if (signal.aborted && isCancelled(thrown)) return { state: stopAs };
  return { state: "failed", error: toErrorRecord(thrown) };
}
