import { isDeepStrictEqual } from "node:util";
import { StagecraftError, type JsonObject } from "@stagecraft/core";
import { memoryAdvice } from "./run-crash.js";
import type { RegisteredRun } from "./registered-run.js";

/** Ends the message of a run that is not tried again by itself. */
export const GIVEN_UP = "; given up, ResumeRun tries again";

/** Given up: its process died too often while it worked. */
export function diedOften({ config }: RegisteredRun, crashes: number): StagecraftError {
  return new StagecraftError(
    "resource_exhausted",
    `the trainer's process died ${crashes} times in a row while this run worked and got no further, as ` +
      `it does when memory runs out; ${memoryAdvice(config)}${GIVEN_UP}`,
  );
}

/** The run that is there already, when it is the one that is asked for; throws otherwise. */
export function sameRun(record: RegisteredRun, stage: string, config: JsonObject): RegisteredRun {
  if (record.stage === stage && isDeepStrictEqual(record.config, config)) return record;
  throw new StagecraftError(
    "already_exists",
    `run ${record.runId} exists with another stage or config; choose another run id, or resume or overwrite it`,
  );
}

/** Another process works on it. */
export function runsElsewhere({ runId, heldBy }: RegisteredRun): StagecraftError {
  return new StagecraftError(
    "failed_precondition",
    `run ${runId} is running elsewhere: ${heldBy} works on it; stop it there, or choose another run id`,
  );
}

/** It has to come to rest first. */
export function stillWorking(record: RegisteredRun): StagecraftError {
  if (record.heldBy) return runsElsewhere(record);
  return new StagecraftError(
    "failed_precondition",
    `run ${record.runId} is ${record.state}; cancel or pause it first`,
  );
}

/** The folder is that of a run which is not at rest. */
export function folderInUse({ runDir, runId, state }: RegisteredRun): StagecraftError {
  return new StagecraftError(
    "failed_precondition",
    `${runDir} is the folder of run ${runId}, which is ${state}; choose another run_dir, or cancel or pause that run first`,
  );
}

/** What is asked is not for a run in this state. */
export function wrongState(record: RegisteredRun, wanted: string): StagecraftError {
  return new StagecraftError(
    "failed_precondition",
    `run ${record.runId} has ${record.state} and cannot be ${wanted}`,
  );
}
