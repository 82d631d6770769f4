import { createOptimizer, type Optimizer, type tf } from "@stagecraft/tensor";
import type { OptimizationConfig, ProgressConfig } from "../stage/fields.js";
import type { ScheduleConfig } from "./schedule.js";
import type { TrainLoopOptions } from "./train-loop.js";

type OptimizerFields = Pick<
  OptimizationConfig,
  "optimizer" | "beta1" | "beta2" | "adamEps" | "momentum" | "weightDecay" | "clipNorm"
>;

/** The optimizer that a stage's configuration names. */
export function optimizerFor(
  params: ReadonlyMap<string, tf.Variable>,
  config: OptimizerFields,
): Optimizer {
  const clip = config.clipNorm > 0 ? { clipNorm: config.clipNorm } : {};
  const { weightDecay } = config;
  if (config.optimizer === "sgd") {
    return createOptimizer(params, {
      kind: "sgd",
      momentum: config.momentum,
      weightDecay,
      ...clip,
    });
  }
  const { beta1, beta2, adamEps } = config;
  return createOptimizer(params, {
    kind: "adamw",
    beta1,
    beta2,
    eps: adamEps,
    weightDecay,
    ...clip,
  });
}

/** The schedule that a stage's configuration describes, over `totalSteps`. */
function scheduleFor(
  config: Pick<
    OptimizationConfig,
    "schedule" | "learningRate" | "warmupSteps" | "minLearningRateRatio"
  >,
  totalSteps: number,
): ScheduleConfig {
  return {
    kind: config.schedule,
    learningRate: config.learningRate,
    warmupSteps: Math.min(config.warmupSteps, Math.floor(totalSteps / 2)),
    totalSteps,
    minRatio: config.minLearningRateRatio,
  };
}

/** Loop options from a stage's configuration. */
export function loopOptionsFor(
  config: OptimizationConfig & ProgressConfig,
  steps: number,
): TrainLoopOptions {
  return {
    steps,
    accumulationSteps: config.accumulationSteps,
    schedule: scheduleFor(config, steps),
    logEvery: config.logEvery,
    evalEvery: config.evalEvery,
    checkpointEvery: config.checkpointEvery,
  };
}
