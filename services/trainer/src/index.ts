export { WEIGHTS_KEY } from "./announcements.js";
export { createBusPlanes, type BusPlanes, type BusPlanesOptions } from "./bus-planes.js";
export { trainerSchema } from "./config.js";
export { openTrainerService, type OpenTrainerOptions } from "./open.js";
export { createPpoRun } from "./ppo-run.js";
export type { RunEvent, RunRecord, RunState } from "./run-record.js";
export {
  openRunRegistry,
  type NewRun,
  type RunRegistry,
  type RunRegistryOptions,
} from "./run-registry.js";
export { createTrainerService, type TrainerService, type TrainerServiceDeps } from "./service.js";
export { mapPaths } from "./stage-paths.js";
export { toTrainerStage, type TrainerStage, type TrainerStageContext } from "./trainer-stage.js";
