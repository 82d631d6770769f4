import type { Checkpoint } from "@stagecraft/checkpoint";
import { StagecraftError, type JsonObject } from "@stagecraft/core";
import type { Optimizer } from "@stagecraft/tensor";
import type { Run } from "../run/run.js";
import type { StageContext } from "../stage/stage.js";
import { gradientStep, type GradientExchange } from "./gradient-step.js";
import { accumulateGradients, type LossTask } from "./gradients.js";
import { isDue } from "./is-due.js";
import { resumableLoop, type LoopScope, type ResumableTask } from "./resumable-loop.js";
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
  /** See ResumableTask. */
  best?: NonNullable<ResumableTask<object>["best"]>;
  /** What the stage wants in the progress note. Default: the loss. */
  describe?(loss: number): string;
  /** Default: this trainer is alone. */
  exchange?: GradientExchange;
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

/**
 * Trains a model on micro-batches; see `resumableLoop` for stopping and going on. On a loss or gradient
 * that is not finite it throws `aborted` and leaves the last good checkpoint as it is.
 */
export async function trainLoop<B>(
  task: TrainTask<B>,
  options: TrainLoopOptions,
  scope: { run: Run; context: StageContext },
): Promise<TrainLoopResult> {
  const training = new Training(task, options, scope.context);
  const { step, evaluation, best } = await resumableLoop(training, options, scope);
  const { lastLoss, numTokens } = training.progress;
  return {
    steps: step,
    ...(lastLoss !== null && { loss: lastLoss }),
    evaluation,
    ...(best && { best }),
    tokensPerSecond: training.throughput.tokensPerSecond(),
    numTokens,
  };
}

interface Progress {
  numTokens: number;
  lossSum: number;
  lossCount: number;
  lastLoss: number | null;
}

class Training<B> implements ResumableTask<Progress> {
  readonly throughput = createThroughput();
  readonly stage: string;
  readonly best?: NonNullable<ResumableTask<Progress>["best"]>;
  readonly evaluate?: NonNullable<ResumableTask<Progress>["evaluate"]>;
  progress: Progress = { numTokens: 0, lossSum: 0, lossCount: 0, lastLoss: null };
  private figures = { loss: 0, learningRate: 0, gradNorm: 0 };

  constructor(
    private readonly task: TrainTask<B>,
    private readonly options: TrainLoopOptions,
    private readonly context: StageContext,
  ) {
    this.stage = task.stage;
    if (task.best) this.best = task.best;
    if (task.evaluate) this.evaluate = () => task.evaluate!(context.signal);
  }

  counters(): JsonObject {
    return { numTokens: this.progress.numTokens };
  }

  tensors() {
    const { params, optimizer } = this.task;
    return new Map([
      ...variablesToTensors(params, "weights/"),
      ...optimizerToTensors(optimizer, "optimizer/"),
    ]);
  }

  position(): JsonObject {
    return { position: this.task.source.position() };
  }

  async restore({ tensors, state }: Checkpoint): Promise<void> {
    const { params, optimizer, source } = this.task;
    loadVariables(params, tensors, "weights/");
    loadOptimizer(optimizer, tensors, "optimizer/");
    await source.seek(state["position"] as JsonObject);
  }

  async step(loop: LoopScope): Promise<void> {
    const { task, options, progress } = this;
    const started = performance.now();
    const batches: B[] = [];
    for (let i = 0; i < options.accumulationSteps; i++) batches.push(await task.source.next());
    const learningRate = learningRateAt(loop.state.step, options.schedule);
    const { loss, weight, gradNorm } = await gradientStep(accumulateGradients(task, batches), {
      ...{ optimizer: task.optimizer, learningRate, exchange: task.exchange },
      diverged: (what, value) => this.diverged(what, value, loop),
    });
    const numTokens = batches.reduce((sum, batch) => sum + task.numTokens(batch), 0);
    this.throughput.add(numTokens, performance.now() - started);
    progress.numTokens += numTokens;
    this.figures = { loss, learningRate, gradNorm };
    if (weight === 0) return; // batches with nothing to learn from have no loss
    progress.lossSum += loss;
    progress.lossCount++;
  }

  stepped(loop: LoopScope): void {
    const { options, task, progress, figures } = this;
    const { step } = loop.state;
    const tokensPerSecond = this.throughput.tokensPerSecond();
    this.context.reporter.progress({
      stage: task.stage,
      done: step,
      total: options.steps,
      unit: "steps",
      tokensPerSecond,
      note: task.describe?.(figures.loss) ?? `loss ${figures.loss.toFixed(3)}`,
    });
    if (!isDue(step, options.logEvery, options.steps)) return;
    progress.lastLoss = progress.lossCount > 0 ? progress.lossSum / progress.lossCount : null;
    progress.lossSum = 0;
    progress.lossCount = 0;
    const { lastLoss: loss } = progress;
    const { learningRate, gradNorm } = figures;
    const record = { learningRate, gradNorm, tokensPerSecond };
    loop.write({ kind: "train", ...(loss === null ? record : { loss, ...record }) });
  }

  private diverged(what: string, value: number, { state, savedStep }: LoopScope): StagecraftError {
    const step = state.step + 1;
    return new StagecraftError(
      "aborted",
      `${what} is ${value} at step ${step} of ${this.stage}: training has diverged; lower learningRate or clipNorm, or raise warmupSteps. The last checkpoint is from before (step ${Math.max(0, savedStep)})`,
      { details: { step, value: String(value) } },
    );
  }
}
