export { createBatcher, type Batcher, type BatcherOptions } from "./batcher.js";
export { rewardModelSchema } from "./config.js";
export type { BatchingOptions } from "./model-set.js";
export {
  loadScorer,
  openRewardModelService,
  type NamedModelDir,
  type OpenRewardModelOptions,
} from "./open-service.js";
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
  createThreadedScorers,
  type ThreadedScorers,
  type ThreadedScorersOptions,
} from "./thread-client.js";
