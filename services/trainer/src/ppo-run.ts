import { ppoStage, runPpo, type PpoConfig } from "@stagecraft/ppo";
import type { StageResult } from "@stagecraft/learn";
import { broadcastProgress } from "./broadcast-progress.js";
import { createBusPlanes, type BusPlanesOptions } from "./bus-planes.js";
import type { TrainerStage } from "./run-registry.js";
import type { TrainerStageContext } from "./run-execution.js";

/** PPO whose sampling and scoring happen elsewhere, reached over the bus. */
export function createPpoRun(options: Omit<BusPlanesOptions, "runId">): TrainerStage {
  const { name, summary, schema } = ppoStage;
  return {
    name,
    summary,
    schema,
    async run(config: PpoConfig, context: TrainerStageContext): Promise<StageResult> {
      const { runId } = context;
      const { bus, topology } = options;
      const planes = await createBusPlanes({ ...options, runId });
      const subject = topology.subjects.progress;
      const reporter = broadcastProgress(context.reporter, { bus, subject, runId });
      let finished = false;
      try {
        const result = await runPpo(config, { ...context, reporter }, planes);
        finished = true;
        return result;
      } finally {
        await planes.close({ finished });
      }
    },
  };
}
