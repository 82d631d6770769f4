export { rolloutSchema } from "./config.js";
export {
  createGrpcPolicyPort,
  createGrpcRewardPort,
  type GrpcRewardOptions,
} from "./grpc-ports.js";
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
export { processTask, rolloutIdOf, type TaskProcessing } from "./process-task.js";
export { createRolloutService, type RolloutService, type RolloutServiceDeps } from "./service.js";
export { startWorker, type Worker, type WorkerOptions, type WorkerStatus } from "./worker.js";
