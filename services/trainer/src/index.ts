export { trainerSchema } from "./config.js";
export { openTrainerService } from "./open-service.js";
export type { TrainerService } from "./service.js";
export { mapPaths } from "./runs/stage-paths.js";
