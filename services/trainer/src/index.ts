export { trainerSchema } from "./config.js";
export { openTrainerService, type OpenTrainerOptions } from "./open-service.js";
export type { TrainerService, TrainerServiceDeps } from "./service.js";
export { mapPaths } from "./runs/stage-paths.js";
