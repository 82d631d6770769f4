import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { parseConfig } from "@stagecraft/config";
import { parseRunDirName, parseRunId } from "@stagecraft/contracts";
import { StagecraftError, type JsonObject } from "@stagecraft/core";
import { silentLogger, type Logger } from "@stagecraft/telemetry";
import type { Logged } from "./event-log.js";
import type { FileAccess } from "./file-access.js";
import { createManagedRun, type ManagedRun, type StartMode } from "./run-execution.js";
import { isEnded, type RunEvent, type RunRecord } from "./run-record.js";
import { createRetryDelays, isPassing } from "./passing-failures.js";
import { restoreRuns } from "./restore-runs.js";
import { writeRunWish, type RunWish } from "./run-wish.js";
import { takeRunDir } from "./take-run-dir.js";
import type { TrainerStage } from "./trainer-stage.js";
import { createTurnstile } from "./turnstile.js";

export interface RunRegistryOptions {
  stages: readonly TrainerStage[];
  /** Folder that holds the run directories. */
  runsDir: string;
  /** Runs working at once; more wait. */
  maxActive: number;
  /** Events of a run kept for watchers that come later. */
  eventsKept: number;
  /**
   * Runs that an earlier process left working go on at once, and failures that pass by themselves (a
   * full disk, a broker away) are tried again from the last checkpoint. Default false.
   */
  selfHealing?: boolean;
  /** See StageContext. */
  epoch?: number | undefined;
  /** What a run may touch; default: whatever this process may, for callers with its own rights. */
  files?: FileAccess | undefined;
  logger?: Logger;
}

export interface NewRun extends StartMode {
  /** Empty: one is made up. */
  runId: string;
  stage: string;
  config: JsonObject;
  /** Relative to the runs folder; empty: the run id. */
  runDir: string;
}

/** Runs by id, and the control over them. */
export interface RunRegistry {
  /** Nothing is written before the run's folder is known to be free. */
  create(run: NewRun): Promise<RunRecord>;
  get(runId: string): RunRecord;
  /** Newest first. */
  list(): RunRecord[];
  watch(
    runId: string,
    options: { after: number; signal: AbortSignal },
  ): AsyncGenerator<Logged<RunEvent>>;
  pause(runId: string): Promise<RunRecord>;
  resume(runId: string): RunRecord;
  cancel(runId: string): Promise<RunRecord>;
  stages(): readonly TrainerStage[];
  /** Pauses everything, each run writing its checkpoint, and lets the watchers go. */
  close(): Promise<void>;
}

/** Knows the runs that earlier processes left in the runs folder. */
export async function openRunRegistry(options: RunRegistryOptions): Promise<RunRegistry> {
  const registry = new Registry(options);
  for (const { record, goesOn } of await restoreRuns(options.runsDir)) {
    registry.add(goesOn && !options.selfHealing ? { ...record, state: "failed" } : record);
    if (goesOn && options.selfHealing) registry.goOn(record.runId);
  }
  return registry;
}

class Registry implements RunRegistry {
  private readonly runs = new Map<string, ManagedRun>();
  private readonly turnstile;
  private closing = false;
  private closed = false;
  private readonly logger: Logger;
  /** Run → when it is tried again. */
  private readonly retries = new Map<string, NodeJS.Timeout>();
  private readonly retryDelays = createRetryDelays();
  /** Two calls that want one folder come one after the other. */
  private readonly oneByOne = createTurnstile(1);

  constructor(private readonly options: RunRegistryOptions) {
    this.turnstile = createTurnstile(options.maxActive);
    this.logger = options.logger ?? silentLogger();
  }

  add(record: RunRecord): ManagedRun {
    const { eventsKept, epoch, selfHealing = false } = this.options;
    const mayRetry = (code: string) => selfHealing && !this.closing && isPassing(code);
    const run = createManagedRun(record, { eventsKept, logger: this.logger, epoch, mayRetry });
    this.runs.set(record.runId, run);
    return run;
  }

  /** Starts a pending run from its last checkpoint. */
  goOn(runId: string): void {
    const run = this.find(runId);
    if (this.closing || run.record.state !== "pending") return;
    this.logger.info({ runId }, "the run goes on from its last checkpoint");
    try {
      this.start(run, { resume: true, overwrite: false });
    } catch (thrown) {
      // Its config is of another version of the product.
      const { code, reason } = StagecraftError.from(thrown);
      run.update({ state: "failed", error: { code, message: reason } });
    }
  }

  create(run: NewRun): Promise<RunRecord> {
    return this.oneByOne(() => this.createNow(run));
  }

  private async createNow({ runId, stage, config, runDir, ...how }: NewRun): Promise<RunRecord> {
    const id = runId === "" ? `${stage}-${randomUUID().slice(0, 8)}` : parseRunId(runId);
    const definition = this.stageOf(stage);
    const existing = this.runs.get(id);
    if (existing && !how.resume && !how.overwrite) return sameRun(existing.record, stage, config);
    if (existing && !isAtRest(existing.record)) throw stillWorking(existing.record);
    const parsed = parseConfig(definition.schema, config, { source: `config of ${id}` }) as object;
    const dir = join(this.options.runsDir, parseRunDirName(runDir) || id);
    const { files, epoch } = this.options;
    await files?.checkConfig(parsed, dir);
    await files?.checkRunDir(dir);
    const before = this.ownerOf(dir, id);
    const now = new Date();
    const record: RunRecord = {
      runId: id,
      stage,
      config,
      runDir: dir,
      createdAt: existing?.record.createdAt ?? now,
      updatedAt: now,
      state: "pending",
      attempt: existing?.record.attempt ?? 0,
    };
    await takeRunDir(dir, { ...how, epoch }, () => this.wish(record, "working"));
    if (before) this.runs.delete(before.record.runId);
    const run = this.add(record);
    run.update({});
    this.start(run, how);
    return run.record;
  }

  /** The run whose folder it is, if that is another one; it must be at rest. */
  private ownerOf(dir: string, runId: string): ManagedRun | undefined {
    const all = [...this.runs.values()];
    const owner = all.find(({ record }) => record.runDir === dir && record.runId !== runId);
    if (owner && !isAtRest(owner.record)) throw folderInUse(owner.record);
    return owner;
  }

  get(runId: string): RunRecord {
    return this.find(runId).record;
  }

  list(): RunRecord[] {
    const records = [...this.runs.values()].map((run) => run.record);
    return records.sort((a, b) => Number(b.createdAt) - Number(a.createdAt));
  }

  watch(runId: string, { after, signal }: { after: number; signal: AbortSignal }) {
    const run = this.find(runId);
    const isOver = () => this.closed || isEnded(run.record.state);
    return run.log.read({ after, signal, isOver });
  }

  async pause(runId: string): Promise<RunRecord> {
    const run = this.find(runId);
    if (isEnded(run.record.state)) throw wrongState(run.record, "paused");
    this.wish(run.record, "paused");
    if (run.record.state !== "paused") await run.stop("paused");
    return run.record;
  }

  resume(runId: string): RunRecord {
    const run = this.find(runId);
    const { state } = run.record;
    if (state === "running" || state === "pending") return run.record;
    if (state === "succeeded") throw wrongState(run.record, "resumed");
    this.wish(run.record, "working");
    run.update({ state: "pending" });
    this.start(run, { resume: true, overwrite: false });
    return run.record;
  }

  async cancel(runId: string): Promise<RunRecord> {
    const run = this.find(runId);
    if (!isEnded(run.record.state)) this.wish(run.record, "cancelled");
    if (run.record.state === "paused") run.update({ state: "cancelled" });
    else if (!isEnded(run.record.state)) await run.stop("cancelled");
    return run.record;
  }

  stages(): readonly TrainerStage[] {
    return this.options.stages;
  }

  async close(): Promise<void> {
    this.closing = true;
    for (const timer of this.retries.values()) clearTimeout(timer);
    const all = [...this.runs.values()];
    await Promise.all(all.filter((run) => !isAtRest(run.record)).map((run) => run.stop("paused")));
    // Whoever watches a paused run waits for it to go on, which it will not do here.
    this.closed = true;
    for (const run of all) if (run.record.state === "paused") run.update({});
  }

  private start(run: ManagedRun, how: StartMode): void {
    const { schema, run: body } = this.stageOf(run.record.stage);
    const { runId, config } = run.record;
    const parsed = parseConfig(schema, config, { source: `config of ${runId}` });
    void this.turnstile(async () => {
      // The caller gets its answer before a stage takes the thread.
      await nextTurn();
      const { epoch, files } = this.options;
      const startedAt = performance.now();
      await run.execute(
        async (context) => {
          // Again: what stands in the folders may have changed since the run was asked for.
          await files?.checkConfig(parsed as object, context.runDir);
          return body(parsed, context);
        },
        { ...how, epoch },
      );
      this.retryIfPending(run, performance.now() - startedAt);
    });
  }

  private retryIfPending({ record }: ManagedRun, workedMs: number): void {
    const { runId, state, progress } = record;
    if (state !== "pending" || this.closing) return;
    const delayMs = this.retryDelays.next(runId, { workedMs, progress });
    const timer = setTimeout(() => this.goOn(runId), delayMs);
    this.retries.set(runId, timer);
  }

  /** Remembered before the answer: a crash after it finds what was asked for. */
  private wish({ runId, stage, config, runDir, createdAt }: RunRecord, wanted: RunWish["wanted"]) {
    writeRunWish(runDir, { runId, stage, config, createdAt: createdAt.toISOString(), wanted });
  }

  private find(runId: string): ManagedRun {
    const run = this.runs.get(runId);
    if (run) return run;
    throw new StagecraftError("not_found", `no run ${JSON.stringify(runId)} on this trainer`);
  }

  private stageOf(name: string): TrainerStage {
    const stage = this.options.stages.find((candidate) => candidate.name === name);
    if (stage) return stage;
    const known = this.options.stages.map((s) => s.name).join(", ");
    throw new StagecraftError(
      "invalid_argument",
      `stage is ${JSON.stringify(name)}, must be one of ${known}`,
      { details: { field: "stage" } },
    );
  }
}

function isAtRest({ state }: RunRecord): boolean {
  return isEnded(state) || state === "paused";
}

function sameRun(record: RunRecord, stage: string, config: JsonObject): RunRecord {
  if (record.stage === stage && isDeepStrictEqual(record.config, config)) return record;
  throw new StagecraftError(
    "already_exists",
    `run ${record.runId} exists with another stage or config; choose another run id, or resume or overwrite it`,
  );
}

function stillWorking(record: RunRecord): StagecraftError {
  return new StagecraftError(
    "failed_precondition",
    `run ${record.runId} is ${record.state}; cancel or pause it first`,
  );
}

function folderInUse({ runDir, runId, state }: RunRecord): StagecraftError {
  return new StagecraftError(
    "failed_precondition",
    `${runDir} is the folder of run ${runId}, which is ${state}; choose another run_dir, or cancel or pause that run first`,
  );
}

function wrongState(record: RunRecord, wanted: string): StagecraftError {
  return new StagecraftError(
    "failed_precondition",
    `run ${record.runId} has ${record.state} and cannot be ${wanted}`,
  );
}
