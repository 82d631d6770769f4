export { followRun, isWorking, type FollowRunOptions, type RunEvent } from "./follow-run.js";
export { connectPolicy, type Answer, type Policy } from "./policy.js";
export {
  connectRewardModel,
  type RewardModel,
  type ScoreOptions,
  type ScoredAnswer,
} from "./reward-model.js";
export { connectTrainer, type TrainerClient } from "./trainer.js";
export type { ConnectOptions } from "./options.js";
