export { rolloutSchema } from "./config.js";
export { openRolloutService } from "./open-service.js";
export type { RewardPort } from "./ports.js";
export type { RolloutService } from "./service.js";
export { startWorker } from "./worker.js";
