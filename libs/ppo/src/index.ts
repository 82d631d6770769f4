export {
  estimateAdvantages,
  type AdvantageOptions,
  type Estimates,
  type Experience,
} from "./batch/experience.js";
export { responseLogProbs, responseValues, type ForwardOptions } from "./batch/forward.js";
export {
  gatherFromRows,
  layoutSequences,
  microBatches,
  scatterToRows,
  type RolloutLayout,
  type SequenceTokens,
} from "./batch/layout.js";
export {
  answerLogProbs,
  closedFormOptimum,
  conditionalLogProbs,
  COUNT_ONES_TASK,
  exactValues,
  type EnumerableTask,
  type ExactValues,
} from "./check/closed-form.js";
export {
  runClosedFormCheck,
  type ClosedFormOptions,
  type ClosedFormResult,
} from "./check/closed-form-run.js";
export { createTableSamplers } from "./check/table-samplers.js";
export {
  gae,
  grpoAdvantages,
  rlooAdvantages,
  type GaeInput,
  type GrpoOptions,
} from "./math/advantages.js";
export { klEstimate, sequenceKl, type KlEstimator } from "./math/kl.js";
export {
  adaptiveFactor,
  createKlController,
  type KlController,
  type KlControllerConfig,
} from "./math/kl-controller.js";
export {
  behaviourWeights,
  entropyOfLogits,
  explainedVariance,
  policyLoss,
  valueLoss,
  type ClipOptions,
  type PolicyLossInput,
  type PolicyLossResult,
  type ValueLossInput,
} from "./math/losses.js";
export {
  maskedMean,
  maskedVariance,
  meanWeights,
  whiten,
  type Numbers,
  type Reduction,
} from "./math/masked.js";
export {
  cutAfterEos,
  scoreWithEosRule,
  tokenRewards,
  type MissingEosRule,
  type TokenRewardsInput,
} from "./math/rewards.js";
export { checkAlarms, initialAlarmState, type Alarm, type AlarmState } from "./stage/alarms.js";
export { meanExtraScores } from "./update/build-experience.js";
export {
  combineAnswerScores,
  parseScoreWeights,
  type ScoreCombination,
} from "./rollouts/combine-scores.js";
export { ppoOutputs, ppoProblems } from "./rollouts/contexts.js";
export {
  furtherRewardModel,
  ppoConfigProblems,
  ppoInputs,
  ppoSchema,
  type PpoConfig,
} from "./stage/config.js";
export { inspectRollouts, type InspectedRollout } from "./rollouts/inspect.js";
export type {
  PromptTask,
  RolloutCheck,
  RolloutSample,
  RolloutSource,
  Samplers,
} from "./rollouts/rollout-source.js";
export type {
  PublishedWeights,
  StoredWeights,
  WeightPublisher,
} from "./rollouts/weight-publisher.js";
export { weightProblem } from "./rollouts/weight-rules.js";
export { ppoLoop, type PpoLoopParts, type PpoLoopResult } from "./stage/ppo-loop.js";
export { createPpoStage, ppoStage, runPpo } from "./stage/run-ppo.js";
export type { RolloutSignals, UpdateSignals } from "./stage/signals.js";
export {
  openSamplingWindow,
  type SamplingWindow,
  type SamplingWindowOptions,
} from "./rollouts/sampling-window.js";
export { mayAdmit, type GateState } from "./rollouts/staleness-gate.js";
export { createEma, type Ema } from "./update/ema.js";
export { oneAnswer, type RolloutSegment } from "./rollouts/segments.js";
export { rolloutProblem, type RolloutRules } from "./rollouts/rollout-rules.js";
export { verifyRollouts, type RolloutExpectation } from "./rollouts/verify-rollouts.js";
export { policyLossTensor, valueLossTensor } from "./tensor/losses.js";
