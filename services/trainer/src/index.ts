export { trainerSchema } from "./config.js";
export { openTrainerService, type OpenTrainerOptions } from "./open-service.js";
export { createPpoRun } from "./rollouts/ppo-run.js";
export type { RegisteredRun, RunEvent } from "./runs/registered-run.js";
export {
  openRunRegistry,
  type NewRun,
  type RunRegistry,
  type RunRegistryOptions,
} from "./runs/run-registry.js";
export { createTrainerService, type TrainerService, type TrainerServiceDeps } from "./service.js";
export { mapPaths } from "./runs/stage-paths.js";
export {
  toTrainerStage,
  type TrainerStage,
  type TrainerStageContext,
} from "./runs/trainer-stage.js";
