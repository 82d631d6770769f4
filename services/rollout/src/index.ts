export { rolloutSchema } from "./config.js";
export {
  openRolloutService,
  type ConnectionOptions,
  type OpenRolloutOptions,
  type RewardSource,
} from "./open-service.js";
export type {
  AnswerToScore,
  PolicyPort,
  RewardPort,
  SourceScore,
  WeightedReward,
} from "./ports.js";
export type { RolloutService, RolloutServiceDeps } from "./service.js";
export { startWorker, type Worker, type WorkerOptions, type WorkerStatus } from "./worker.js";
