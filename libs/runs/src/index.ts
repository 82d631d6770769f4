export { gradientStep, type GradientExchange } from "./loop/gradient-step.js";
export { accumulateGradients, sumGradients, takeLoss } from "./loop/gradients.js";
export { loopOptionsFor, optimizerFor } from "./loop/optimization.js";
export { learningRateAt } from "./loop/schedule.js";
export { createThroughput } from "./loop/throughput.js";
export { resumableLoop, type LoopScope, type ResumableTask } from "./loop/resumable-loop.js";
export { trainLoop, type TrainLoopResult, type TrainTask } from "./loop/train-loop.js";
export {
  loadOptimizer,
  loadVariables,
  optimizerToTensors,
  variablesToTensors,
} from "./loop/weights.js";
export { silentReporter, type StageProgress, type StageReporter } from "./stage/reporter.js";
export { acquireRunLock, releaseRunLockOfThread } from "./run/run-lock.js";
export { openRun, stopReason, withRun, type Run } from "./run/run.js";
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
export { hashInputs, inputChanges, type InputHashes } from "./run/input-hashes.js";
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
export { defineStage, type StageScope } from "./stage/define-stage.js";
export { loraFields, withLora } from "./stage/lora-fields.js";
