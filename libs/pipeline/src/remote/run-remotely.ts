import { followRun, isWorking, type RunEvent, type TrainerClient } from "@stagecraft/client";
import { trainer } from "@stagecraft/contracts";
import {
  fromErrorRecord,
  StagecraftError,
  throwIfAborted,
  type ErrorRecord,
  type JsonObject,
} from "@stagecraft/core";
import type { StageContext, StageProgress, StageReporter, StageResult } from "@stagecraft/runs";

export interface RemoteRun {
  runId: string;
  stage: string;
  config: object;
  /** The run's directory, relative to the trainer's runs folder. */
  runDirName: string;
}

/** A run that is cancelled writes a checkpoint first. */
const CANCEL_TIMEOUT_MS = 7 * 24 * 3600_000;

type RemoteContext = Omit<StageContext, "runDir">;

/**
 * Runs a stage on a trainer as if it ran here: progress, metrics and messages reach the context's
 * reporter; its signal cancels the run, which writes a checkpoint first. Throws what the stage threw.
 * A run that works already is joined when the context says to resume. A trainer that dies on the way
 * is waited for: its successor goes on with the run.
 */
export async function runRemotely(
  client: TrainerClient,
  run: RemoteRun,
  context: RemoteContext,
): Promise<StageResult> {
  const { runId } = run;
  const { signal, reporter } = context;
  throwIfAborted(signal);
  await startOrJoin(client, run, context);
  let cancelling: Promise<unknown> | undefined;
  const onAbort = () => {
    const done = client.cancelRun({ runId }, { timeoutMs: CANCEL_TIMEOUT_MS });
    cancelling ??= done.catch((error: unknown) =>
      reporter.warn(`cancelling failed: ${String(error)}`),
    );
  };
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    const ended = await followRun(client, runId, {
      onEvent: (event) => report(event, reporter),
      onAway: () => reporter.warn("the trainer does not answer; waiting for it to come back"),
      signal, // with the trainer away nobody is there to write a checkpoint
    });
    return resultOf(ended);
  } finally {
    signal.removeEventListener("abort", onAbort);
    await cancelling;
  }
}

async function startOrJoin(
  client: TrainerClient,
  { runId, stage, config, runDirName }: RemoteRun,
  { resume, overwrite = false, reporter }: RemoteContext,
): Promise<void> {
  const state = await stateOf(client, runId);
  if (state !== undefined && isWorking(state)) {
    if (!resume) throw alreadyThere(runId, "is working", "--resume joins it");
    return reporter.info(`joined run ${runId}, which is working already`);
  }
  if (state !== undefined && !resume && !overwrite) {
    throw alreadyThere(runId, "is there already", "--resume continues it, --overwrite replaces it");
  }
  // A Struct knows no undefined.
  const plain = JSON.parse(JSON.stringify(config)) as JsonObject;
  await client.createRun({ runId, stage, config: plain, resume, overwrite, runDir: runDirName });
}

async function stateOf(
  client: TrainerClient,
  runId: string,
): Promise<trainer.RunState | undefined> {
  try {
    return (await client.getRun({ runId })).run?.state;
  } catch (thrown) {
    if (StagecraftError.from(thrown).code === "not_found") return undefined;
    throw thrown;
  }
}

function alreadyThere(runId: string, what: string, advice: string): StagecraftError {
  return new StagecraftError("already_exists", `run ${runId} ${what} on this trainer; ${advice}`);
}

function report(event: RunEvent, reporter: StageReporter): void {
  switch (event.$case) {
    case "progress":
      return reporter.progress(toProgress(event.value));
    case "metrics":
      return reporter.metrics(event.value as JsonObject);
    case "log":
      return event.value.level === trainer.LogLevel.WARN
        ? reporter.warn(event.value.text)
        : reporter.info(event.value.text);
    case "run":
      return;
  }
}

function toProgress({
  unit,
  tokensPerSecond,
  note,
  ...rest
}: trainer.StageProgress): StageProgress {
  return {
    ...rest,
    unit: unit as StageProgress["unit"],
    ...(tokensPerSecond === undefined ? {} : { tokensPerSecond }),
    ...(note === "" ? {} : { note }),
  };
}

function resultOf({ state, result, error, runId }: trainer.Run): StageResult {
  if (state === trainer.RunState.SUCCEEDED && result) {
    const { modelDir, outputs, metrics } = result;
    return { ...(modelDir === "" ? {} : { modelDir }), outputs, metrics };
  }
  if (state === trainer.RunState.CANCELLED) {
    throw new StagecraftError("cancelled", "stopped on request; resume to go on");
  }
  if (error) throw fromErrorRecord(error as ErrorRecord);
  throw new StagecraftError("internal", `run ${runId} ended without a result`);
}
