export {
  runRewardBayesCheck,
  type RewardBayesOptions,
  type RewardBayesResult,
} from "./check/reward-bayes.js";
export { rankedPairs, type RankedPair } from "./reward/ranking-loss.js";
export {
  correlation,
  rankingReport,
  type Bin,
  type RankingReport,
  type ScoredRanking,
} from "./reward/ranking-metrics.js";
export { collectStage, type AnswerSet, type CollectConfig, type Ranker } from "./stages/collect.js";
export { lmLoss } from "./stages/language-model.js";
export { restoreBest } from "./stages/train-model.js";
export { corpusFields } from "./stages/fields.js";
export { pretrainStage, type PretrainConfig } from "./stages/pretrain.js";
export { rewardStage, type RewardReport } from "./stages/reward.js";
export { rewardSchema, type RewardConfig } from "./stages/reward-config.js";
export { sftStage, type SftConfig } from "./stages/sft.js";
export { packSequences, type Packing, type Place } from "./batch/pack.js";
export { keepEnd } from "./reward/fit-answers.js";
export {
  readUsablePrompts,
  type UsablePromptsOptions,
  type PromptReader,
} from "./stages/usable-prompts.js";
export { toRewardItem } from "./reward/reward-data.js";
export {
  combineScores,
  loadRewardModel,
  saveRewardModel,
  type EnsembleScore,
  type RewardModel,
} from "./reward/reward-model.js";
export { dpoStage, type DpoConfig } from "./stages/dpo.js";
export { answerLogProbs } from "./dpo/dpo-batch.js";
export { dpoLossTensor } from "./dpo/dpo-loss.js";
export { rewardLoss } from "./reward/reward-loss.js";
