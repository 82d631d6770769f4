import { mkdir, readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { atomicWriteFile, openCheckpoints } from "@stagecraft/checkpoint";
import { isCancelled, StagecraftError, type JsonObject, type JsonValue } from "@stagecraft/core";
import { openMetricsLog, type MetricsLog } from "./metrics-log.js";
import { silentReporter, type StageReporter } from "./reporter.js";
import { acquireRunLock, type RunLock } from "./run-lock.js";
import type { StageContext, StageResult } from "./stage.js";

export type RunStatus = "running" | "finished" | "cancelled" | "failed";

/** run.json: what ran, with which frozen configuration, and how it ended. */
export interface RunRecord {
  formatVersion: 1;
  stage: string;
  status: RunStatus;
  seed: number | null;
  config: JsonObject;
  versions: Record<string, string>;
  startedAt: string;
  updatedAt: string;
  /** How many times the run was started or resumed. */
  attempts: number;
  error?: string;
  result?: StageResult;
}

export interface OpenRunOptions {
  runDir: string;
  stage: string;
  config: object;
  /** Continue from the latest checkpoint; a directory without a run starts afresh. */
  resume: boolean;
  /** Delete an earlier run of the directory first. */
  overwrite?: boolean;
  /** See StageContext. */
  epoch?: number | undefined;
  keepCheckpoints?: number;
  versions?: Record<string, string>;
  reporter?: StageReporter;
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
  /** The result of an earlier, finished attempt that is being resumed: nothing is left to do. */
  readonly finishedResult: StageResult | undefined;
  /** Throws `aborted` when another process has taken the directory over. */
  checkOwned(): void;
  setStatus(status: RunStatus, more?: { error?: string; result?: StageResult }): Promise<void>;
  /** Releases the lock and closes files; the status stays as it was set. */
  close(): Promise<void>;
}

/** Fields that may differ between a run and its resumption: they do not change what is computed. */
const RESUMABLE_FIELDS = new Set(["engine", "threads", "logEvery", "keepCheckpoints", "rounds"]);

/** What a run leaves behind, deleted by `overwrite`. */
const RUN_ENTRIES = [
  "run.json",
  "metrics.jsonl",
  "checkpoints",
  "best",
  "model",
  "tokenizer",
  "answers.jsonl",
  "rankings.jsonl",
  "reward-report.json",
  "members",
  "rollouts",
  "rounds",
  "loop.jsonl",
  "loop-state.json",
];

/**
 * Opens a run directory. Throws `failed_precondition` when another process holds it, when it already
 * has a run and neither resume nor overwrite was asked, or when a resumed configuration differs.
 */
export async function openRun(options: OpenRunOptions): Promise<Run> {
  const dir = resolve(options.runDir);
  await mkdir(dir, { recursive: true }).catch((thrown: unknown) => {
    throw cannotUse(dir, thrown);
  });
  const lock = await acquireRunLock(dir, options.epoch);
  try {
    if (options.overwrite) await deleteRun(dir);
    const earlier = await readRunRecord(dir);
    if (earlier) checkEarlierRun(dir, earlier, options);
    return await startRun(dir, options, { earlier, lock });
  } catch (thrown) {
    await lock.release();
    throw thrown;
  }
}

/** run.json of a directory; undefined when there is none. Throws data_loss when it cannot be read. */
export async function readRunRecord(runDir: string): Promise<RunRecord | undefined> {
  const file = join(runDir, "run.json");
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw cannotUse(runDir, thrown);
  }
  try {
    return JSON.parse(text) as RunRecord;
  } catch (thrown) {
    throw new StagecraftError("data_loss", `${file} is not valid JSON; overwrite the run`, {
      cause: thrown,
    });
  }
}

/**
 * Runs a stage's body inside its run directory and writes down how it ended. A run that is resumed
 * after it had finished returns its stored result without doing anything.
 */
export async function withRun(
  options: Omit<OpenRunOptions, "runDir" | "resume" | "reporter"> & {
    context: StageContext;
    /** Whether a run that had finished goes on under this configuration. Default: never. */
    hasMore?(result: StageResult): boolean;
  },
  body: (run: Run) => Promise<StageResult>,
): Promise<StageResult> {
  const { context } = options;
  const run = await openRun({
    ...options,
    runDir: context.runDir,
    resume: context.resume,
    overwrite: options.overwrite ?? context.overwrite ?? false,
    epoch: context.epoch,
    reporter: context.reporter,
  });
  try {
    if (run.finishedResult && options.hasMore?.(run.finishedResult) !== true) {
      context.reporter.info(`${run.dir} is finished already; nothing to do`);
      return run.finishedResult;
    }
    const result = await body(run);
    await run.setStatus("finished", { result });
    return result;
  } catch (thrown) {
    const error = StagecraftError.from(thrown);
    // The first failure is the one to tell, even when the disk refuses the status as well.
    await run
      .setStatus(isCancelled(error) ? "cancelled" : "failed", { error: error.message })
      .catch(() => undefined);
    throw error;
  } finally {
    await run.close();
  }
}

async function startRun(
  dir: string,
  options: OpenRunOptions,
  { earlier, lock }: { earlier: RunRecord | undefined; lock: RunLock },
): Promise<Run> {
  const reporter = options.reporter ?? silentReporter();
  let record = newRecord(options, earlier);
  const finishedResult = earlier?.status === "finished" ? earlier.result : undefined;
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
      keep: options.keepCheckpoints ?? 2,
      onWarning: (message: string) => reporter.warn(message),
      guard,
      epoch: options.epoch,
    }),
    checkOwned: guard,
    get record() {
      return record;
    },
    finishedResult,
    async setStatus(status, more = {}) {
      record = { ...record, ...more, status, updatedAt: new Date().toISOString() };
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
    formatVersion: 1,
    stage: options.stage,
    status: "running",
    seed: typeof config["seed"] === "number" ? config["seed"] : null,
    config,
    versions: { stagecraft: STAGECRAFT_VERSION, node: process.versions.node, ...options.versions },
    startedAt: earlier?.startedAt ?? now,
    updatedAt: now,
    attempts: (earlier?.attempts ?? 0) + 1,
  };
}

const STAGECRAFT_VERSION = "0.1.0";

function checkEarlierRun(dir: string, earlier: RunRecord, options: OpenRunOptions): void {
  if (!options.resume) {
    const state = earlier.status === "finished" ? "a finished" : "an unfinished";
    throw new StagecraftError(
      "failed_precondition",
      `${dir} already holds ${state} run of ${earlier.stage}; resume it (--resume), replace it (--overwrite), or choose another run directory`,
      { details: { runDir: dir, status: earlier.status } },
    );
  }
  if (earlier.stage !== options.stage) {
    throw new StagecraftError(
      "failed_precondition",
      `${dir} holds a run of ${earlier.stage}, which ${options.stage} cannot resume`,
    );
  }
  const changed = changedFields(earlier.config, options.config as JsonObject);
  if (changed.length > 0) {
    throw new StagecraftError(
      "failed_precondition",
      `${dir} was started with another configuration and cannot be resumed exactly: ${changed.join("; ")}`,
      { details: { runDir: dir, changed } },
    );
  }
}

function changedFields(before: JsonObject, after: JsonObject): string[] {
  const fields = new Set([...Object.keys(before), ...Object.keys(after)]);
  const text = (value: JsonValue | undefined) => JSON.stringify(value) ?? "unset";
  return [...fields]
    .filter((field) => !RESUMABLE_FIELDS.has(field) && text(before[field]) !== text(after[field]))
    .map((field) => `${field} was ${text(before[field])}, now ${text(after[field])}`);
}

async function deleteRun(dir: string): Promise<void> {
  for (const entry of RUN_ENTRIES) await rm(join(dir, entry), { recursive: true, force: true });
}

function cannotUse(dir: string, thrown: unknown): StagecraftError {
  const error = StagecraftError.from(thrown);
  return new StagecraftError(error.code, `cannot use run directory ${dir}: ${error.reason}`, {
    cause: thrown,
  });
}
