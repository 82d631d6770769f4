/**
 * Runs by id, and the control over them. Over 400 lines in one piece: every method moves a run between
 * the same states under the same lock, and apart they would each need all of them.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { parseConfig } from "@stagecraft/config";
import { parseRunDirName, parseRunId } from "@stagecraft/contracts";
import { createSemaphore, StagecraftError, toErrorRecord, type JsonObject } from "@stagecraft/core";
import { silentLogger, type Logger } from "@stagecraft/telemetry";
import type { Logged } from "./event-log.js";
import { crashDelayMs, createCrashLedger, progressMark } from "./crash-ledger.js";
import type { FileAccess } from "./file-access.js";
import { crashOf, memoryAdvice } from "./run-crash.js";
import { createManagedRun, type ManagedRun, type StartMode } from "./run-execution.js";
import { isEnded, type RunEvent, type RegisteredRun } from "./registered-run.js";
import { createRetryDelays, isTransient } from "./transient-failures.js";
import { lookAtCommand, restoreRuns } from "./restore-runs.js";
import type { RunQuotas } from "./run-quotas.js";
import {
  diedOften,
  folderInUse,
  GIVEN_UP,
  runsElsewhere,
  sameRun,
  stillWorking,
  wrongState,
} from "./run-refusals.js";
import { readDesiredStateSync, writeDesiredState, type DesiredState } from "./desired-state.js";
import { takeRunDir } from "./take-run-dir.js";
import type { TrainerStage } from "./trainer-stage.js";

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
  /** What callers may make it keep; default: no bound. */
  quotas?: RunQuotas | undefined;
  /** Crashes in a row, without getting further, after which a run is given up. Default 5. */
  maxCrashes?: number;
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
  create(run: NewRun): Promise<RegisteredRun>;
  get(runId: string): RegisteredRun;
  /** Newest first. */
  list(): RegisteredRun[];
  /** Looks again at the runs that other processes work on. */
  refresh(): Promise<void>;
  watch(
    runId: string,
    options: { after: number; signal: AbortSignal },
  ): AsyncGenerator<Logged<RunEvent>>;
  pause(runId: string): Promise<RegisteredRun>;
  resume(runId: string): RegisteredRun;
  cancel(runId: string): Promise<RegisteredRun>;
  stages(): readonly TrainerStage[];
  /** Pauses everything, each run writing its checkpoint, and lets the watchers go. */
  close(): Promise<void>;
}

/** Knows the runs that earlier processes left in the runs folder. */
export async function openRunRegistry(options: RunRegistryOptions): Promise<RunRegistry> {
  const registry = new Registry(options);
  for (const { record, goesOn, crashes, died } of await restoreRuns(options.runsDir)) {
    registry.add(goesOn && !options.selfHealing ? { ...record, state: "failed" } : record);
    if (goesOn && options.selfHealing) registry.goOnAfter(record.runId, { crashes, died });
  }
  return registry;
}

class Registry implements RunRegistry {
  private readonly runs = new Map<string, ManagedRun>();
  private readonly semaphore;
  private closing = false;
  private closed = false;
  private readonly logger: Logger;
  /** Run → when it is tried again. */
  private readonly retries = new Map<string, NodeJS.Timeout>();
  private readonly retryDelays = createRetryDelays();
  private readonly crashes = createCrashLedger();
  /** Runs at work under which a process died: each is alone until it has got further. */
  private readonly unproven = new Set<string>();
  /** Two calls that want one folder come one after the other. */
  private readonly oneByOne = createSemaphore(1);

  constructor(private readonly options: RunRegistryOptions) {
    this.semaphore = createSemaphore(() => (this.unproven.size > 0 ? 1 : options.maxActive));
    this.logger = options.logger ?? silentLogger();
  }

  add(record: RegisteredRun): ManagedRun {
    const { eventsKept, epoch, selfHealing = false } = this.options;
    const mayRetry = (thrown: unknown) => {
      const { code, details } = StagecraftError.from(thrown);
      const isWorthIt = details["crashes"] === undefined ? isTransient(code) : !details["givenUp"];
      return selfHealing && !this.closing && isWorthIt;
    };
    const run = createManagedRun(record, { eventsKept, logger: this.logger, epoch, mayRetry });
    this.runs.set(record.runId, run);
    return run;
  }

  /** Lets a run of an earlier process go on, unless that died too often while it worked on this run. */
  goOnAfter(runId: string, { crashes, died }: { crashes: number; died: boolean }): void {
    const run = this.find(runId);
    this.crashes.restore(runId, crashes);
    if (died && crashes >= this.maxCrashes) return this.giveUp(run, diedOften(run.record, crashes));
    if (died) {
      this.want(run.record, "working"); // counted
      if (crashes > 1)
        this.logger.warn({ runId, crashes }, "the process died while the run worked");
    }
    const delayMs = died ? crashDelayMs(crashes) : 0;
    if (delayMs === 0) this.goOn(runId);
    else this.goOnIn(runId, delayMs);
  }

  private get maxCrashes(): number {
    return this.options.maxCrashes ?? 5;
  }

  private giveUp(run: ManagedRun, why: StagecraftError): void {
    const error = toErrorRecord(why);
    this.want(run.record, "working", { failed: error });
    run.update({ state: "failed", error });
    this.logger.error({ runId: run.record.runId, error }, "the run is given up");
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
      run.update({ state: "failed", error: toErrorRecord(thrown) });
    }
  }

  create(run: NewRun): Promise<RegisteredRun> {
    return this.oneByOne(() => this.createNow(run));
  }

  private async createNow({
    runId,
    stage,
    config,
    runDir,
    ...how
  }: NewRun): Promise<RegisteredRun> {
    const id = runId === "" ? `${stage}-${randomUUID().slice(0, 8)}` : parseRunId(runId);
    const definition = this.stageOf(stage);
    const existing = this.runs.get(id);
    if (existing && !how.resume && !how.overwrite) return sameRun(existing.record, stage, config);
    if (existing && !isAtRest(existing.record)) throw stillWorking(existing.record);
    const isNew = existing === undefined;
    await this.options.quotas?.check({ config, numRuns: isNew ? this.runs.size : 0 });
    const parsed = parseConfig(definition.schema, config, { source: `config of ${id}` }) as object;
    const dir = join(this.options.runsDir, parseRunDirName(runDir) || id);
    const { files, epoch } = this.options;
    await files?.checkConfig(parsed, dir);
    await files?.checkRunDir(dir);
    const before = this.ownerOf(dir, id);
    const now = new Date();
    const record: RegisteredRun = {
      runId: id,
      stage,
      config,
      runDir: dir,
      createdAt: existing?.record.createdAt ?? now,
      updatedAt: now,
      state: "pending",
      attempt: existing?.record.attempt ?? 0,
    };
    this.crashes.forget(id);
    await takeRunDir(dir, { ...how, epoch }, () => this.want(record, "working"));
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

  get(runId: string): RegisteredRun {
    return this.find(runId).record;
  }

  list(): RegisteredRun[] {
    const records = [...this.runs.values()].map((run) => run.record);
    return records.sort((a, b) => Number(b.createdAt) - Number(a.createdAt));
  }

  async refresh(): Promise<void> {
    const elsewhere = [...this.runs.values()].filter(({ record }) => record.heldBy);
    for (const { record } of elsewhere) {
      const now = await lookAtCommand(record.runId, record.runDir);
      if (now && now.heldBy !== record.heldBy) this.add(now);
    }
  }

  watch(runId: string, { after, signal }: { after: number; signal: AbortSignal }) {
    const run = this.find(runId);
    const isOver = () => this.closed || isEnded(run.record.state);
    return run.log.read({ after, signal, isOver });
  }

  async pause(runId: string): Promise<RegisteredRun> {
    const run = this.find(runId);
    if (run.record.heldBy) throw runsElsewhere(run.record);
    if (isEnded(run.record.state)) throw wrongState(run.record, "paused");
    this.want(run.record, "paused");
    if (run.record.state !== "paused") await run.stop("paused");
    return run.record;
  }

  resume(runId: string): RegisteredRun {
    const run = this.find(runId);
    const { state } = run.record;
    if (run.record.heldBy) throw runsElsewhere(run.record);
    if (state === "running" || state === "pending") return run.record;
    if (state === "succeeded") throw wrongState(run.record, "resumed");
    this.crashes.forget(runId);
    this.want(run.record, "working");
    run.update({ state: "pending" });
    this.start(run, { resume: true, overwrite: false });
    return run.record;
  }

  async cancel(runId: string): Promise<RegisteredRun> {
    const run = this.find(runId);
    if (run.record.heldBy) throw runsElsewhere(run.record);
    if (!isEnded(run.record.state)) this.want(run.record, "cancelled");
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
    const own = all.filter(({ record }) => !isAtRest(record) && !record.heldBy);
    await Promise.all(own.map((run) => run.stop("paused")));
    // Whoever watches a paused run waits for it to go on, which it will not do here.
    this.closed = true;
    for (const run of all) if (run.record.state === "paused") run.update({});
  }

  private start(run: ManagedRun, how: StartMode): void {
    const { schema, run: body } = this.stageOf(run.record.stage);
    const { runId, config } = run.record;
    const parsed = parseConfig(schema, config, { source: `config of ${runId}` });
    const onEnter = () => {
      if (this.crashes.count(runId) > 0) this.unproven.add(runId);
    };
    void this.semaphore(async () => {
      // The caller gets its answer before a stage takes the thread.
      await nextTurn();
      const { epoch, files } = this.options;
      const startedAt = performance.now();
      await run.execute(
        (context) =>
          this.guarded(run.record, parsed as object, async () => {
            // Again: what stands in the folders may have changed since the run was asked for.
            await files?.checkConfig(parsed as object, context.runDir);
            return body(parsed, context);
          }),
        { ...how, epoch },
      );
      this.unproven.delete(runId);
      this.retryIfPending(run, performance.now() - startedAt);
    }, onEnter);
  }

  /**
   * An attempt, with what is needed to tell a crash: a mark in the run's folder as long as it works,
   * and nobody beside it while it is under suspicion.
   */
  private async guarded<T>(
    record: RegisteredRun,
    config: object,
    attempt: () => Promise<T>,
  ): Promise<T> {
    const { runId, runDir } = record;
    if (!this.options.selfHealing) return attempt();
    this.crashes.begin(runId, runDir);
    this.want(record, "working", { workingFrom: progressMark(runDir) });
    const watch = setInterval(() => this.proveIfFurther(runId, runDir), PROVE_EVERY_MS).unref();
    try {
      const result = await attempt();
      this.crashes.forget(runId);
      return result;
    } catch (thrown) {
      throw this.explained(record, config, thrown);
    } finally {
      clearInterval(watch);
      this.unmark(runId);
    }
  }

  private proveIfFurther(runId: string, runDir: string): void {
    if (this.crashes.isProven(runId, runDir) && this.unproven.delete(runId)) this.semaphore.poke();
  }

  /** The attempt is over in this process: it did not die of it. */
  private unmark(runId: string): void {
    const { runDir } = this.find(runId).record;
    const desired = readDesiredStateSync(runDir);
    // Another trainer may have taken over.
    if (!desired || desired.epoch !== this.options.epoch) return;
    const { workingFrom: _, crashes: __, ...rest } = desired;
    writeDesiredState(runDir, { ...rest, ...this.crashesOf(runId) });
  }

  private crashesOf(runId: string): { crashes?: number } {
    const crashes = this.crashes.count(runId);
    return crashes === 0 ? {} : { crashes };
  }

  /** A crash with what it was, the number of attempts, and what to do; other failures as they are. */
  private explained(record: RegisteredRun, config: object, thrown: unknown): unknown {
    const kind = crashOf(thrown);
    if (kind === undefined) return thrown;
    const crashes = this.crashes.crashed(record.runId, record.runDir);
    const givenUp = crashes >= this.maxCrashes;
    const { reason } = StagecraftError.from(thrown);
    const what = kind === "memory" ? `out of memory (${reason})` : reason;
    const advice = kind === "memory" ? `; ${memoryAdvice(config)}` : "";
    const error = new StagecraftError(
      "resource_exhausted",
      `${what}, attempt ${crashes} of ${this.maxCrashes}${advice}${givenUp ? GIVEN_UP : ""}`,
      { cause: thrown, details: { crashes, givenUp } },
    );
    if (givenUp) {
      this.want(record, "working", { failed: toErrorRecord(error) });
    }
    return error;
  }

  private retryIfPending({ record }: ManagedRun, workedMs: number): void {
    const { runId, state, progress } = record;
    if (state !== "pending" || this.closing) return;
    const crashes = this.crashes.count(runId);
    const failed = { workedMs, progress };
    this.goOnIn(runId, crashes > 0 ? crashDelayMs(crashes) : this.retryDelays.next(runId, failed));
  }

  private goOnIn(runId: string, delayMs: number): void {
    const timer = setTimeout(() => this.goOn(runId), delayMs);
    this.retries.set(runId, timer);
  }

  /** Remembered before the answer: a crash after it finds what was asked for. */
  private want(
    { runId, stage, config, runDir, createdAt }: RegisteredRun,
    wanted: DesiredState["wanted"],
    more: Pick<DesiredState, "workingFrom" | "failed"> = {},
  ) {
    const { epoch } = this.options;
    const basis = { runId, stage, config, createdAt: createdAt.toISOString(), wanted };
    writeDesiredState(runDir, {
      ...basis,
      ...(epoch === undefined ? {} : { epoch }),
      ...this.crashesOf(runId),
      ...more,
    });
  }

  private find(runId: string): ManagedRun {
    const run = this.runs.get(runId);
    if (run) return run;
    throw new StagecraftError(
      "not_found",
      `no run ${JSON.stringify(runId.slice(0, 80))} on this trainer`,
    );
  }

  private stageOf(name: string): TrainerStage {
    const stage = this.options.stages.find((candidate) => candidate.name === name);
    if (stage) return stage;
    const known = this.options.stages.map((s) => s.name).join(", ");
    throw new StagecraftError(
      "invalid_argument",
      `stage is ${JSON.stringify(name.slice(0, 80))}, must be one of ${known}`,
      { details: { field: "stage" } },
    );
  }
}

const PROVE_EVERY_MS = 500;

function isAtRest({ state }: RegisteredRun): boolean {
  return isEnded(state) || state === "paused";
}
