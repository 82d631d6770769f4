export {
  runRewardBayesCheck,
  type RewardBayesOptions,
  type RewardBayesResult,
} from "./check/reward-bayes.js";
export { accumulateGradients, sumGradients, type LossTask } from "./loop/gradients.js";
export { isDue } from "./loop/is-due.js";
export { loopOptionsFor, optimizerFor, scheduleFor } from "./loop/optimization.js";
export { learningRateAt, type ScheduleConfig } from "./loop/schedule.js";
export { createThroughput, type Throughput } from "./loop/throughput.js";
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
export {
  logSigmoid,
  rankedPairs,
  rankingLoss,
  sigmoid,
  type RankedPair,
} from "./reward/ranking-loss.js";
export {
  correlation,
  rankingReport,
  type Bin,
  type RankingReport,
  type ScoredRanking,
} from "./reward/ranking-metrics.js";
export { openMetricsLog, type MetricsLog } from "./run/metrics-log.js";
export { silentReporter, type StageProgress, type StageReporter } from "./run/reporter.js";
export { acquireRunLock, releaseRunLockOfThread, runHolder, type RunLock } from "./run/run-lock.js";
export { openRun, readRunRecord, withRun, type OpenRunOptions, type Run } from "./run/run.js";
export type { RunRecord, RunStatus } from "./run/run-record.js";
export type { StageContext, StageDefinition, StagePhase, StageResult } from "./run/stage.js";
export { changedFields, listed } from "./run/earlier-run.js";
export type { Forecast, OutputFacts } from "./run/forecast.js";
export {
  answerProblems,
  checkStage,
  contextProblems,
  headProblems,
  modelFacts,
  NOTHING_AHEAD,
  stageProblems,
} from "./run/stage-problems.js";
export { hashInputs, inputChanges, type InputHashes } from "./run/input-hashes.js";
export { dataInputs, inputProblem, modelInputs, type StageInput } from "./run/stage-input.js";
export { commonFields, optimizationFields, progressFields } from "./stages/fields.js";
export {
  collectStage,
  createCollectStage,
  type AnswerSet,
  type CollectConfig,
  type Ranker,
} from "./stages/collect.js";
export { engineVersions, startEngine } from "./stages/engine.js";
export { evaluateLm, lmLoss, restoreBest } from "./stages/language-model.js";
export { corpusFields } from "./stages/fields.js";
export { pretrainStage, type PretrainConfig } from "./stages/pretrain.js";
export { rewardStage, type RewardReport } from "./stages/reward.js";
export { rewardSchema, type RewardConfig } from "./stages/reward-config.js";
export { sftStage, type SftConfig } from "./stages/sft.js";
export { createEpochSource } from "./batch/epoch-source.js";
export { packSequences, type Packing, type Place } from "./batch/pack.js";
export {
  layoutForScores,
  scoreSequences,
  type RewardItem,
  type ScoreLayout,
} from "./reward/reward-batch.js";
export { keepEnd } from "./reward/fit-answers.js";
export { readRequests, type ReadRequestsOptions, type RequestReader } from "./stages/requests.js";
export { answerIds, toRewardItem } from "./reward/reward-data.js";
export { rewardLoss, type RewardObjective } from "./reward/reward-loss.js";
export { raterAgreement, type RaterAgreement } from "./reward/rater-agreement.js";
export { type EnsembleReport } from "./reward/ensemble-report.js";
export {
  combineScores,
  loadRewardModel,
  rewardModelOf,
  saveRewardModel,
  type EnsembleScore,
  type RewardModel,
} from "./reward/reward-model.js";
export { dpoLoss, dpoLossTensor, type DpoLossOptions } from "./dpo/dpo-loss.js";
export { dpoStage, type DpoConfig } from "./stages/dpo.js";
