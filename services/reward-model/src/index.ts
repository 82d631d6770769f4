export { rewardModelSchema } from "./config.js";
export { openRewardModelService } from "./open-service.js";
export { createRewardModelService } from "./service.js";
export { createThreadedScorers } from "./thread-client.js";
