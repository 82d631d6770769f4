/**
 * The loop under every stage that trains: steps, evaluations, the choice of the best weights, checkpoints,
 * stopping, going on. It knows neither models nor data: a task says what a step is and what of it a
 * checkpoint has to hold.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Checkpoint, TensorMap } from "@stagecraft/checkpoint";
import { StagecraftError, throwIfAborted, type JsonObject } from "@stagecraft/core";
import type { Run } from "../run/run.js";
import type { StageContext, StagePhase } from "../stage/stage.js";
import { isDue } from "./is-due.js";

/** The loop's own state: plain data, part of every checkpoint. */
export interface LoopState {
  /** Steps done. */
  step: number;
  /** Figures of the last evaluation. */
  evaluation: Record<string, number>;
  /** The step that they are of; −1 before the first. */
  evaluatedStep: number;
  best: { step: number; value: number } | null;
  /** The figure that chooses, before the first step. */
  start: number | null;
}

/** What a task may use of the loop that runs it. */
export interface LoopScope {
  readonly state: Readonly<LoopState>;
  /** Step of the last checkpoint; −1 without one. */
  readonly savedStep: number;
  /** Adds a record to metrics.jsonl and tells it. */
  write(record: JsonObject): void;
  /** Tells whoever listens what the time goes into. */
  phase<T>(phase: StagePhase["name"], work: () => Promise<T>, rolloutIds?: string[]): Promise<T>;
}

/** What is done step by step. `P` is its own part of the loop's state: plain data. */
export interface ResumableTask<P extends object> {
  stage: string;
  /** What people call a step. Default "step". */
  unit?: string;
  /** Put back from a checkpoint before `restore`. */
  progress: P;
  /** Counters in every record. */
  counters(): JsonObject;
  /** All weights and optimizers. */
  tensors(): TensorMap;
  /** Whatever else a checkpoint has to hold. */
  position(): JsonObject;
  restore(checkpoint: Checkpoint): Promise<void>;
  /** The loop's state as an earlier version wrote it, in today's words. */
  modernized?(loop: JsonObject): JsonObject;
  /** What comes before a step and may be stopped anywhere: it changes nothing that a checkpoint holds. */
  prepare?(loop: LoopScope): Promise<void>;
  /** One step, whole or not at all. */
  step(loop: LoopScope): Promise<void>;
  /** After a step that has been counted. */
  stepped?(loop: LoopScope): void;
  /** Figures on held-out data, without those over nothing; must not change the training state. */
  evaluate?(loop: LoopScope): Promise<Record<string, number>>;
  /**
   * Which figure of `evaluate` chooses the best weights, and how to keep them. Only trained weights
   * are chosen from: what was evaluated before the first step is what to compare them with.
   */
  best?: { metric: string; goal: "min" | "max"; save(): Promise<void> };
  /** A checkpoint has been written. */
  saved?(): Promise<void>;
}

export interface LoopOptions {
  steps: number;
  /** Steps between evaluations and checkpoints; 0 = only at the end. */
  evalEvery: number;
  checkpointEvery: number;
}

/**
 * Runs until `steps`, resuming from the run's latest checkpoint when it has one. On the signal it writes
 * a checkpoint and throws `cancelled`. Resuming continues exactly: the same weights as an uninterrupted
 * run, on one thread.
 */
export async function resumableLoop<P extends object>(
  task: ResumableTask<P>,
  options: LoopOptions,
  scope: { run: Run; context: StageContext },
): Promise<LoopState> {
  return new ResumableLoop(task, options, scope.run, scope.context).run();
}

class ResumableLoop<P extends object> implements LoopScope {
  savedStep = -1;
  state: LoopState = { step: 0, evaluation: {}, evaluatedStep: -1, best: null, start: null };
  private isUndefinedSaid = false;

  constructor(
    private readonly task: ResumableTask<P>,
    private readonly options: LoopOptions,
    private readonly runDirectory: Run,
    private readonly context: StageContext,
  ) {}

  async run(): Promise<LoopState> {
    const { task, options, state, context } = await this.restored();
    for (;;) {
      await this.stoppable(() => this.evaluateIfDue());
      if (isDue(state.step, options.checkpointEvery, options.steps)) await this.save();
      if (state.step >= options.steps) break;
      if (context.signal.aborted) await this.stop();
      await this.stoppable(async () => task.prepare?.(this));
      await task.step(this);
      state.step++;
      task.stepped?.(this);
      await nextTurn(); // signals and timers get their turn between steps
    }
    this.warnOfChoice();
    return state;
  }

  write(record: JsonObject): void {
    const { stage } = this.task;
    const full = { stage, step: this.state.step, ...this.task.counters(), ...record };
    this.runDirectory.metrics.write(full);
    this.context.reporter.metrics(full);
  }

  async phase<T>(
    name: StagePhase["name"],
    work: () => Promise<T>,
    rolloutIds: string[] = [],
  ): Promise<T> {
    const ended = this.context.onPhase?.({ name, rolloutIds });
    try {
      return await work();
    } finally {
      ended?.();
    }
  }

  /** What is stopped half-way is repeated when the run is resumed: the state is as before it. */
  private async stoppable(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      if (this.context.signal.aborted) await this.stop();
      throw thrown;
    }
  }

  /** Keeps what was learnt, then throws `cancelled`. */
  private async stop(): Promise<never> {
    await this.save();
    throwIfAborted(this.context.signal);
    throw new StagecraftError("internal", "stop() needs a signal that has fired");
  }

  private async evaluateIfDue(): Promise<void> {
    const { state, options, task } = this;
    if (!task.evaluate || state.evaluatedStep === state.step) return;
    if (!isDue(state.step, options.evalEvery, options.steps)) return;
    throwIfAborted(this.context.signal);
    const evaluation = finite(await task.evaluate(this));
    if (task.best) await this.select(task.best, evaluation[task.best.metric]);
    state.evaluation = evaluation;
    state.evaluatedStep = state.step;
    this.write({ kind: "eval", ...evaluation });
  }

  /** Keeps the weights if the figure says so; a figure that is undefined selects nothing. */
  private async select(
    { metric, goal, save }: NonNullable<ResumableTask<P>["best"]>,
    value: number | undefined,
  ): Promise<void> {
    const { state } = this;
    if (value === undefined) {
      if (this.isUndefinedSaid) return;
      this.isUndefinedSaid = true;
      this.context.reporter.warn(
        `${metric} is undefined at ${this.unit} ${state.step}: the held-out data has nothing to ` +
          `measure it on, so it chooses no weights`,
      );
    } else if (state.step === 0) state.start = value;
    else if (state.best === null || isBetter(value, state.best.value, goal)) {
      await save();
      state.best = { step: state.step, value };
    }
  }

  /** What a reader of the result has to know about the weights that were chosen. */
  private warnOfChoice(): void {
    const { task, state, unit } = this;
    const { best, start } = state;
    if (!task.best || !best || start === null) return;
    if (isBetter(best.value, start, task.best.goal)) return;
    this.context.reporter.warn(
      `training did not improve ${task.best.metric}: ${start.toPrecision(4)} before the first ` +
        `${unit}, ${best.value.toPrecision(4)} at its best (${unit} ${best.step}); lower ` +
        `learningRate, or give more data`,
    );
  }

  private async save(): Promise<void> {
    const { task, state } = this;
    if (state.step === 0 || this.savedStep === state.step) return;
    await this.phase("checkpoint", () =>
      this.runDirectory.checkpoints.save(state.step, {
        tensors: task.tensors(),
        state: {
          loop: { ...state, ...task.progress } as unknown as JsonObject,
          ...task.position(),
          metricsBytes: this.runDirectory.metrics.sizeBytes(),
        },
      }),
    );
    this.savedStep = state.step;
    await task.saved?.();
  }

  private async restored(): Promise<this> {
    const { task, runDirectory, context, unit } = this;
    const checkpoint = context.resume ? await runDirectory.checkpoints.loadLatest() : undefined;
    if (!checkpoint) {
      runDirectory.metrics.truncate(0);
      return this;
    }
    const loop = checkpoint.state["loop"] as JsonObject;
    const stored = task.modernized?.(loop) ?? loop;
    const { step, evaluation, evaluatedStep, best, start = null, ...progress } = stored;
    this.state = { step, evaluation, evaluatedStep, best, start } as unknown as LoopState;
    task.progress = { ...task.progress, ...progress };
    await task.restore(checkpoint);
    runDirectory.metrics.truncate(checkpoint.state["metricsBytes"] as number);
    this.savedStep = checkpoint.step;
    context.reporter.info(`resumed at ${unit} ${checkpoint.step} of ${this.options.steps}`);
    return this;
  }

  private get unit(): string {
    return this.task.unit ?? "step";
  }
}

/** A figure that is no number is as good as absent, and no checkpoint can hold it. */
function finite(figures: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(figures).filter(([, value]) => Number.isFinite(value)));
}

function isBetter(value: number, best: number, goal: "min" | "max"): boolean {
  return goal === "min" ? value < best : value > best;
}
