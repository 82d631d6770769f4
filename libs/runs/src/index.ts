export { gradientStep, type GradientExchange, type Gradients } from "./loop/gradient-step.js";
export {
  accumulateGradients,
  sumGradients,
  takeLoss,
  type LossTask,
  type UnreadGradients,
} from "./loop/gradients.js";
export { loopOptionsFor, optimizerFor } from "./loop/optimization.js";
export { learningRateAt, type ScheduleConfig } from "./loop/schedule.js";
export { createThroughput, type Throughput } from "./loop/throughput.js";
export { resumableLoop, type LoopScope, type ResumableTask } from "./loop/resumable-loop.js";
export {
  trainLoop,
  type ResumableSource,
  type TrainLoopOptions,
  type TrainLoopResult,
  type TrainTask,
} from "./loop/train-loop.js";
export {
  loadOptimizer,
  loadVariables,
  optimizerToTensors,
  variablesToTensors,
} from "./loop/weights.js";
export { silentReporter, type StageProgress, type StageReporter } from "./stage/reporter.js";
export { acquireRunLock, releaseRunLockOfThread, type RunLock } from "./run/run-lock.js";
export { openRun, stopReason, withRun, type OpenRunOptions, type Run } from "./run/run.js";
export {
  INTERRUPTED,
  lookAtRun,
  readRunRecord,
  type RunRecord,
  type RunState,
} from "./run/run-record.js";
export type {
  Leaves,
  StageContext,
  StageDefinition,
  StageFacts,
  StagePhase,
  StageResult,
} from "./stage/stage.js";
export { changedFields, listed } from "./run/earlier-run.js";
export type { Forecast, OutputFacts } from "./stage/forecast.js";
export {
  answerProblems,
  checkStage,
  contextProblems,
  headProblems,
  modelFacts,
  stageProblems,
} from "./stage/stage-problems.js";
export {
  hashInputs,
  inputChanges,
  type InputHashes,
  type InputNotes,
  type InputSizes,
} from "./run/input-hashes.js";
export { dataInputs, modelInputs, type StageInput } from "./stage/stage-input.js";
export { recordFields, recordOptions } from "./stage/record-fields.js";
export {
  chatFields,
  commonFields,
  optimizationFields,
  progressFields,
  writtenAs,
  writtenModelFields,
  type WrittenModelConfig,
} from "./stage/fields.js";
export { defineStage, type StageScope, type StageSpec } from "./stage/define-stage.js";
export { loraFields, withLora, type LoraConfig } from "./stage/lora-fields.js";
