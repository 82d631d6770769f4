export { createBatcher, type Batcher, type BatcherOptions } from "./batcher.js";
export { rewardModelSchema } from "./config.js";
export type { BatchingOptions } from "./model-set.js";
export {
  loadScorer,
  openRewardModelService,
  type NamedModelDir,
  type OpenRewardModelOptions,
} from "./open.js";
export {
  createScorer,
  type LocalScorer,
  type Scorer,
  type ScorerOptions,
  type ScoringModel,
} from "./scorer.js";
export {
  createRewardModelService,
  type RewardModelService,
  type RewardModelServiceDeps,
} from "./service.js";
export {
  createWorkerScorers,
  type WorkerScorers,
  type WorkerScorersOptions,
} from "./worker-scorers.js";
