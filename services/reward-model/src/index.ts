export { rewardModelSchema } from "./config.js";
export {
  openRewardModelService,
  type NamedModelDir,
  type OpenRewardModelOptions,
} from "./open-service.js";
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
