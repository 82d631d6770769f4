import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { atomicWriteFile, openCheckpoints } from "@stagecraft/checkpoint";
import { isCancelled, StagecraftError, toErrorRecord, type JsonObject } from "@stagecraft/core";
import { listed, refusalOf } from "./earlier-run.js";
import { noteInputs, type InputHashes, type InputNotes } from "./input-hashes.js";
import { thisCommit, thisMachine } from "./provenance.js";
import { noteLineage, originsOf, type Origins } from "./note-lineage.js";
import { openMetricsLog, type MetricsLog } from "./metrics-log.js";
import { silentReporter } from "../stage/reporter.js";
import { acquireRunLock, type RunLock } from "./run-lock.js";
import { deleteRun, hasWork, refuseForeign, refuseOwnInput } from "./run-files.js";
import { cannotUse, leavesOf, readRunRecord, type RunRecord } from "./run-record.js";
import type { StageInput } from "../stage/stage-input.js";
import type { StageContext, StageFacts, StageResult } from "../stage/stage.js";

export interface OpenRunOptions
  extends
    Pick<StageContext, "runDir" | "resume">,
    Partial<Omit<StageContext, "runDir" | "resume">> {
  /** What the run reads is noted by content, and must be the same when it is resumed. */
  stage: StageFacts;
  /** Of its fields, `seed` is noted and `keepCheckpoints` followed. */
  config: object;
  versions?: Record<string, string>;
}

/**
 * A run directory held by this process:
 * `run.json`, `metrics.jsonl`, `checkpoints/`, `best/` (model), `model/` (the result), `run.lock`.
 */
export interface Run {
  readonly dir: string;
  readonly bestDir: string;
  readonly modelDir: string;
  readonly metrics: MetricsLog;
  readonly checkpoints: ReturnType<typeof openCheckpoints>;
  readonly record: Readonly<RunRecord>;
  /** What was read when the run began, for the lineage of the model that it makes. */
  readonly origins: Origins;
  /** The result of an earlier, finished attempt that is being resumed: nothing is left to do. */
  readonly finishedResult: StageResult | undefined;
  /** Throws `aborted` when another process has taken the directory over. */
  checkOwned(): void;
  /** Writes down how it ended. */
  end(how: Pick<RunRecord, "state" | "error" | "result">): Promise<void>;
  /** Releases the lock and closes files; the state stays as it was set. */
  close(): Promise<void>;
}

/**
 * Opens a run directory. Throws `failed_precondition` when another process holds it, when it already
 * has a run and neither resume nor overwrite was asked, or when what is resumed has another
 * configuration or other input. A run that ended before its first step is simply begun anew.
 */
export async function openRun(options: OpenRunOptions): Promise<Run> {
  const dir = resolve(options.runDir);
  await mkdir(dir, { recursive: true }).catch((thrown: unknown) => {
    throw cannotUse(dir, thrown);
  });
  const lock = await acquireRunLock(dir, options.epoch);
  try {
    const reads = options.stage.inputs?.(options.config) ?? [];
    const noted = await noteInputs(reads, options);
    const origins = await originsOf(reads, noted.files);
    const commit = await thisCommit();
    if (options.overwrite) await replaceRun(dir, reads, options);
    const earlier = await earlierRun(dir, { ...options, inputs: noted.hashes });
    if (!earlier) await refuseForeign(dir, options.stage.leaves ?? {}, { reads });
    return await startRun(dir, options, { earlier, lock, noted, origins, commit });
  } catch (thrown) {
    await lock.release();
    throw thrown;
  }
}

/** Deletes the run of the directory, if there is one, even where its record cannot be read. */
async function replaceRun(
  dir: string,
  reads: readonly StageInput[],
  { stage, reporter }: OpenRunOptions,
): Promise<void> {
  const earlier = await readRunRecord(dir).catch(ofDamaged);
  if (earlier === undefined) return;
  const replaced = leavesOf(earlier);
  refuseOwnInput(dir, replaced, reads);
  await refuseForeign(dir, stage.leaves ?? {}, { reads, replaced });
  const kept = await deleteRun(dir, replaced);
  if (kept.length > 0) reporter?.warn(`kept in ${dir}, since no run made it: ${listed(kept)}`);
}

function ofDamaged(thrown: unknown): Pick<RunRecord, "leaves"> {
  if (StagecraftError.from(thrown).code === "data_loss") return {};
  throw thrown;
}

/** The run to go on with. One that is refused and has done nothing is deleted. */
async function earlierRun(
  dir: string,
  options: OpenRunOptions & { inputs: InputHashes },
): Promise<RunRecord | undefined> {
  const earlier = await readRunRecord(dir);
  const refusal = earlier && refusalOf(dir, earlier, options);
  if (!refusal) return earlier;
  if (earlier.state === "succeeded" || (await hasWork(dir, leavesOf(earlier)))) throw refusal;
  options.reporter?.info(`the earlier run of ${dir} ended before its first step: begun anew`);
  await deleteRun(dir, leavesOf(earlier));
  return undefined;
}

/**
 * Runs a stage's body inside its run directory and writes down how it ended. A run that is resumed
 * after it had finished returns its stored result without doing anything.
 */
export async function withRun(
  options: Pick<OpenRunOptions, "stage" | "config" | "versions"> & {
    context: StageContext;
    /** Whether a run that had finished goes on under this configuration. Default: never. */
    hasMore?(result: StageResult): boolean;
  },
  body: (run: Run) => Promise<StageResult>,
): Promise<StageResult> {
  const { context } = options;
  const run = await openRun({ ...options, ...context });
  try {
    if (run.finishedResult && options.hasMore?.(run.finishedResult) !== true) {
      context.reporter.info(`${run.dir} is finished already; nothing to do`);
      return run.finishedResult;
    }
    const result = await body(run);
    if (result.modelDir === run.modelDir) await noteLineage(run, result);
    await run.end({ state: "succeeded", result });
    return result;
  } catch (thrown) {
    const error = StagecraftError.from(thrown);
    const state = isCancelled(error) ? stoppedAs(context.signal) : "failed";
    // The first failure is the one to tell, even when the disk refuses the state as well.
    await run.end({ state, error: toErrorRecord(error) }).catch(() => undefined);
    throw error;
  } finally {
    await run.close();
  }
}

/** What a run is that was stopped: paused where the reason says so (`stopReason`), else cancelled. */
function stoppedAs({ reason }: AbortSignal): "paused" | "cancelled" {
  const isPause = reason instanceof StagecraftError && reason.details["stopAs"] === "paused";
  return isPause ? "paused" : "cancelled";
}

/** Why a run is stopped, for its signal: its record then says whether it is to go on. */
export function stopReason(stopAs: "paused" | "cancelled"): StagecraftError {
  const text = `the run is to be ${stopAs}`;
  return new StagecraftError("cancelled", text, { details: { stopAs } });
}

/** What is known when a run starts or goes on. */
interface Start {
  earlier: RunRecord | undefined;
  lock: RunLock;
  noted: InputNotes;
  origins: Origins;
  commit: string | undefined;
}

async function startRun(
  dir: string,
  options: OpenRunOptions,
  { earlier, lock, noted, origins, commit }: Start,
): Promise<Run> {
  const reporter = options.reporter ?? silentReporter();
  const startedMs = Date.now();
  let record: RunRecord = {
    ...newRecord(options, earlier),
    ...{ inputs: noted.hashes, inputSizes: noted.sizes, machine: thisMachine() },
  };
  if (commit !== undefined) record.versions = { ...record.versions, commit };
  const finishedResult = earlier?.state === "succeeded" ? earlier.result : undefined;
  const guard = () => lock.check();
  const save = () =>
    atomicWriteFile(join(dir, "run.json"), `${JSON.stringify(record, null, 2)}\n`, { guard });
  if (!finishedResult) await save();
  const metrics = openMetricsLog(join(dir, "metrics.jsonl"), { guard });
  return {
    dir,
    bestDir: join(dir, "best"),
    modelDir: join(dir, "model"),
    metrics,
    checkpoints: openCheckpoints(join(dir, "checkpoints"), {
      keep: numberOf(record.config["keepCheckpoints"]) ?? 2,
      onWarning: (message: string) => reporter.warn(message),
      guard,
      epoch: options.epoch,
    }),
    checkOwned: guard,
    get record() {
      return record;
    },
    origins,
    finishedResult,
    async end(how) {
      const workedMs = (earlier?.workedMs ?? 0) + Date.now() - startedMs;
      record = { ...record, ...how, workedMs, updatedAt: new Date().toISOString() };
      await save();
    },
    async close() {
      metrics.close();
      await lock.release();
    },
  };
}

function newRecord(options: OpenRunOptions, earlier: RunRecord | undefined): RunRecord {
  const config = JSON.parse(JSON.stringify(options.config)) as JsonObject;
  const now = new Date().toISOString();
  return {
    formatVersion: 2,
    stage: options.stage.name,
    state: "running",
    seed: numberOf(config["seed"]) ?? null,
    config,
    leaves: options.stage.leaves ?? {},
    versions: { stagecraft: STAGECRAFT_VERSION, node: process.versions.node, ...options.versions },
    startedAt: earlier?.startedAt ?? now,
    updatedAt: now,
    attempts: (earlier?.attempts ?? 0) + 1,
  };
}

const STAGECRAFT_VERSION = "0.1.0";

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
