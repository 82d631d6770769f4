import { createFileAccess } from "./runs/file-access.js";
import { createPpoRun, type PpoRunOptions } from "./rollouts/ppo-run.js";
import { createPublishRun } from "./rollouts/publish-run.js";
import { createRunQuotas } from "./runs/run-quotas.js";
import { openRunRegistry, type RunRegistryOptions } from "./runs/run-registry.js";
import { createTrainerService, type TrainerService } from "./service.js";
import { checkTextFields } from "./runs/stage-paths.js";
import type { TrainerStage } from "./runs/trainer-stage.js";

export interface OpenTrainerOptions
  extends PpoRunOptions, Omit<RunRegistryOptions, "stages" | "logger" | "files" | "quotas"> {
  /** Folders beside the runs that a run may read; not given: callers have this process's own rights. */
  readDirs?: readonly string[];
  /** See RunQuotaOptions; not given: no bound. */
  maxRuns?: number;
  maxRunsMb?: number;
  /** See FileAccessOptions. */
  modelSources?: readonly string[];
  /** Folders beside the runs that a run may write to. */
  writeDirs?: readonly string[];
  /** Stages that need nothing but their config; `ppo` and `publish` are added. */
  stages: readonly TrainerStage[];
  /** Where stages run; default on this thread. */
  host?(stage: TrainerStage): TrainerStage;
}

/** A trainer service with its parts: the registry, the stages, and PPO over the bus. */
export async function openTrainerService(options: OpenTrainerOptions): Promise<TrainerService> {
  const { host = (stage: TrainerStage) => stage } = options;
  const own = [createPpoRun(options), createPublishRun(options)];
  const stages = [...options.stages, ...own].map((stage) => host(stage));
  for (const { name, schema } of stages) checkTextFields(name, schema);
  const epoch = options.lease?.epoch;
  const {
    runsDir,
    readDirs,
    writeDirs = [],
    modelSources = [],
    maxRuns = Infinity,
    maxRunsMb = 0,
  } = options;
  const files = readDirs && createFileAccess({ runsDir, readDirs, writeDirs, modelSources });
  const quotas = createRunQuotas({ runsDir, maxRuns, maxRunsMb, metrics: options.metrics });
  const registry = await openRunRegistry({ ...options, epoch, stages, files, quotas });
  return createTrainerService({ registry });
}
