import type { BusPlanesOptions } from "./bus-planes.js";
import { createPpoRun } from "./ppo-run.js";
import { openRunRegistry, type RunRegistryOptions } from "./run-registry.js";
import { createTrainerService, type TrainerService } from "./service.js";
import type { TrainerStage } from "./trainer-stage.js";

export interface OpenTrainerOptions
  extends Omit<BusPlanesOptions, "runId">, Omit<RunRegistryOptions, "stages" | "logger"> {
  /** Stages that need nothing but their config; `ppo` is added. */
  stages: readonly TrainerStage[];
  /** Where stages run; default on this thread. */
  host?(stage: TrainerStage): TrainerStage;
}

/** A trainer service with its parts: the registry, the stages, and PPO over the bus. */
export async function openTrainerService(options: OpenTrainerOptions): Promise<TrainerService> {
  const { host = (stage: TrainerStage) => stage } = options;
  const stages = [...options.stages, createPpoRun(options)].map((stage) => host(stage));
  const epoch = options.lease?.epoch;
  return createTrainerService({ registry: await openRunRegistry({ ...options, epoch, stages }) });
}
