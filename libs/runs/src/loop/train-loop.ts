import { setImmediate as nextTurn } from "node:timers/promises";
import { StagecraftError, throwIfAborted, type JsonObject } from "@stagecraft/core";
import type { Optimizer } from "@stagecraft/tensor";
import type { Run } from "../run/run.js";
import type { StageContext } from "../stage/stage.js";
import { accumulateGradients, type LossTask } from "./gradients.js";
import { isDue } from "./is-due.js";
import { learningRateAt, type ScheduleConfig } from "./schedule.js";
import { createThroughput } from "./throughput.js";
import { loadOptimizer, loadVariables, optimizerToTensors, variablesToTensors } from "./weights.js";

/** A resumable stream of micro-batches; `BatchSource` of @stagecraft/data is one. */
export interface ResumableSource<B> {
  next(): Promise<B>;
  position(): JsonObject;
  seek(position: JsonObject): Promise<void>;
}

/** What is trained. The loop owns steps, accumulation, schedule, checkpoints and reports. */
export interface TrainTask<B> extends LossTask<B> {
  stage: string;
  optimizer: Optimizer;
  source: ResumableSource<B>;
  /** Tokens the model reads in a micro-batch, for tokens/s. */
  numTokens(batch: B): number;
  /** Figures on held-out data, without those over nothing; must not change the training state. */
  evaluate?(signal: AbortSignal): Promise<Record<string, number>>;
  /**
   * Which figure of `evaluate` chooses the best checkpoint, and how to keep it. Only trained weights
   * are chosen from: what was evaluated before the first step is what to compare them with.
   */
  best?: { metric: string; goal: "min" | "max"; save(): Promise<void> };
  /** What the stage wants in the progress note. Default: the loss. */
  describe?(loss: number): string;
}

export interface TrainLoopOptions {
  steps: number;
  /** Micro-batches per optimizer step. */
  accumulationSteps: number;
  schedule: ScheduleConfig;
  /** Steps between records, evaluations and checkpoints; 0 = only at the end. */
  logEvery: number;
  evalEvery: number;
  checkpointEvery: number;
}

export interface TrainLoopResult {
  steps: number;
  /** Mean training loss over the last logging interval; absent when nothing was learnt from. */
  loss?: number;
  /** Figures of the last evaluation. */
  evaluation: Record<string, number>;
  best?: { step: number; value: number };
  tokensPerSecond: number;
  numTokens: number;
}

/** The mutable part of a loop, all of it in every checkpoint. */
interface LoopState {
  step: number;
  numTokens: number;
  lossSum: number;
  lossCount: number;
  lastLoss: number | null;
  evaluation: Record<string, number>;
  /** The step that `evaluation` is of; −1 before the first. */
  evaluatedStep: number;
  best: { step: number; value: number } | null;
  /** The figure that chooses, before the first step. */
  start?: number | null;
}

/**
 * Trains until `steps`, resuming from the run's latest checkpoint when it has one. On the signal it
 * writes a checkpoint and throws `cancelled`; on a loss or gradient that is not finite it throws
 * `aborted` and leaves the last good checkpoint as it is. Resuming continues exactly: the same
 * weights as an uninterrupted run, on one thread.
 */
export async function trainLoop<B>(
  task: TrainTask<B>,
  options: TrainLoopOptions,
  scope: { run: Run; context: StageContext },
): Promise<TrainLoopResult> {
  const loop = new TrainLoop(task, options, scope.run, scope.context);
  return loop.run();
}

class TrainLoop<B> {
  private readonly throughput = createThroughput();
  private savedStep = -1;
  private isUndefinedSaid = false;
  private state: LoopState = {
    step: 0,
    numTokens: 0,
    lossSum: 0,
    lossCount: 0,
    lastLoss: null,
    evaluation: {},
    evaluatedStep: -1,
    best: null,
    start: null,
  };

  constructor(
    private readonly task: TrainTask<B>,
    private readonly options: TrainLoopOptions,
    private readonly runDirectory: Run,
    private readonly context: StageContext,
  ) {}

  async run(): Promise<TrainLoopResult> {
    await this.restore();
    for (;;) {
      await this.evaluateIfDue();
      if (isDue(this.state.step, this.options.checkpointEvery, this.options.steps)) {
        await this.save();
      }
      if (this.state.step >= this.options.steps) return this.result();
      if (this.context.signal.aborted) await this.stop();
      await this.trainStep();
      await nextTurn(); // signals and timers get their turn between steps
    }
  }

  private async trainStep(): Promise<void> {
    const { task, options, state } = this;
    const started = performance.now();
    const batches: B[] = [];
    for (let i = 0; i < options.accumulationSteps; i++) batches.push(await task.source.next());
    const { loss, grads, weight } = accumulateGradients(task, batches);
    const learningRate = learningRateAt(state.step, options.schedule);
    try {
      if (!Number.isFinite(loss)) throw this.diverged("loss", loss);
      const { gradNorm } = task.optimizer.step(grads, learningRate);
      if (!Number.isFinite(gradNorm)) throw this.diverged("gradient norm", gradNorm);
      const numTokens = batches.reduce((sum, batch) => sum + task.numTokens(batch), 0);
      this.throughput.add(numTokens, performance.now() - started);
      this.count(weight > 0 ? loss : undefined, numTokens);
      this.report({ loss, learningRate, gradNorm });
    } finally {
      for (const grad of grads.values()) grad.dispose();
    }
  }

  /** Batches with nothing to learn from have no loss. */
  private count(loss: number | undefined, numTokens: number): void {
    this.state.step++;
    this.state.numTokens += numTokens;
    if (loss === undefined) return;
    this.state.lossSum += loss;
    this.state.lossCount++;
  }

  private report(figures: { loss: number; learningRate: number; gradNorm: number }): void {
    const { state, options, task } = this;
    const tokensPerSecond = this.throughput.tokensPerSecond();
    this.context.reporter.progress({
      stage: task.stage,
      done: state.step,
      total: options.steps,
      unit: "steps",
      tokensPerSecond,
      note: task.describe?.(figures.loss) ?? `loss ${figures.loss.toFixed(3)}`,
    });
    if (!isDue(state.step, options.logEvery, options.steps)) return;
    state.lastLoss = state.lossCount > 0 ? state.lossSum / state.lossCount : null;
    state.lossSum = 0;
    state.lossCount = 0;
    const { learningRate, gradNorm } = figures;
    const record = { learningRate, gradNorm, tokensPerSecond };
    const { lastLoss: loss } = state;
    this.write({ kind: "train", ...(loss === null ? record : { loss, ...record }) });
  }

  private async evaluateIfDue(): Promise<void> {
    const { state, options, task } = this;
    if (!task.evaluate || state.evaluatedStep === state.step) return;
    if (!isDue(state.step, options.evalEvery, options.steps)) return;
    try {
      await this.evaluate(task.evaluate.bind(task));
    } catch (thrown) {
      // Resuming repeats the evaluation: evaluatedStep still says that it is owed.
      if (this.context.signal.aborted) await this.stop();
      throw thrown;
    }
  }

  private async evaluate(
    figures: (signal: AbortSignal) => Promise<Record<string, number>>,
  ): Promise<void> {
    const { task, state } = this;
    const evaluation = finite(await figures(this.context.signal));
    if (task.best) await this.select(task.best, evaluation[task.best.metric]);
    state.evaluation = evaluation;
    state.evaluatedStep = state.step;
    this.write({ kind: "eval", ...evaluation });
  }

  /** Keeps the weights if the figure says so; a figure that is undefined selects nothing. */
  private async select(
    { metric, goal, save }: NonNullable<TrainTask<B>["best"]>,
    value: number | undefined,
  ): Promise<void> {
    const { state } = this;
    if (value === undefined) {
      if (this.isUndefinedSaid) return;
      this.isUndefinedSaid = true;
      this.context.reporter.warn(
        `${metric} is undefined at step ${state.step}: the held-out data has nothing to measure it ` +
          `on, so it chooses no weights`,
      );
    } else if (state.step === 0) state.start = value;
    else if (state.best === null || isBetter(value, state.best.value, goal)) {
      await save();
      state.best = { step: state.step, value };
    }
  }

  /** What a reader of the result has to know about the weights that were chosen. */
  private warnOfChoice(): void {
    const { task, state } = this;
    const { best, start } = state;
    if (!task.best || !best || start === null || start === undefined) return;
    if (isBetter(best.value, start, task.best.goal)) return;
    this.context.reporter.warn(
      `training did not improve ${task.best.metric}: ${start.toPrecision(4)} before the first step, ` +
        `${best.value.toPrecision(4)} at its best (step ${best.step}); lower learningRate, or give ` +
        `more data`,
    );
  }

  /** Keeps what was learnt, then throws `cancelled`. */
  private async stop(): Promise<never> {
    await this.save();
    throwIfAborted(this.context.signal);
    throw new StagecraftError("internal", "stop() needs a signal that has fired");
  }

  private write(record: JsonObject): void {
    const { step, numTokens } = this.state;
    const full = { stage: this.task.stage, step, numTokens, ...record };
    this.runDirectory.metrics.write(full);
    this.context.reporter.metrics(full);
  }

  private async save(): Promise<void> {
    const { task, state } = this;
    if (state.step === 0 || this.savedStep === state.step) return;
    await this.runDirectory.checkpoints.save(state.step, {
      tensors: new Map([
        ...variablesToTensors(task.params, "weights/"),
        ...optimizerToTensors(task.optimizer, "optimizer/"),
      ]),
      state: {
        loop: { ...state },
        position: task.source.position(),
        metricsBytes: this.runDirectory.metrics.sizeBytes(),
      },
    });
    this.savedStep = state.step;
  }

  private async restore(): Promise<void> {
    const { task, runDirectory, context } = this;
    const checkpoint = context.resume ? await runDirectory.checkpoints.loadLatest() : undefined;
    if (!checkpoint) {
      runDirectory.metrics.truncate(0);
      return;
    }
    loadVariables(task.params, checkpoint.tensors, "weights/");
    loadOptimizer(task.optimizer, checkpoint.tensors, "optimizer/");
    this.state = { ...(checkpoint.state["loop"] as unknown as LoopState) };
    await task.source.seek(checkpoint.state["position"] as JsonObject);
    runDirectory.metrics.truncate(checkpoint.state["metricsBytes"] as number);
    this.savedStep = checkpoint.step;
    context.reporter.info(`resumed at step ${checkpoint.step} of ${this.options.steps}`);
  }

  private diverged(what: string, value: number): StagecraftError {
    const step = this.state.step + 1;
    return new StagecraftError(
      "aborted",
      `${what} is ${value} at step ${step} of ${this.task.stage}: training has diverged; lower learningRate or clipNorm, or raise warmupSteps. The last checkpoint is from before (step ${Math.max(0, this.savedStep)})`,
      { details: { step, value: String(value) } },
    );
  }

  private result(): TrainLoopResult {
    const { state } = this;
    this.warnOfChoice();
    return {
      steps: state.step,
      ...(state.lastLoss !== null && { loss: state.lastLoss }),
      evaluation: state.evaluation,
      ...(state.best ? { best: state.best } : {}),
      tokensPerSecond: this.throughput.tokensPerSecond(),
      numTokens: state.numTokens,
    };
  }
}

/** A figure that is no number is as good as absent, and no checkpoint can hold it. */
function finite(figures: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(figures).filter(([, value]) => Number.isFinite(value)));
}

function isBetter(value: number, best: number, goal: "min" | "max"): boolean {
  return goal === "min" ? value < best : value > best;
}
