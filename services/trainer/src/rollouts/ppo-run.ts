import { ppoStage, runPpo, type PpoConfig } from "@stagecraft/ppo";
import type { StagePhase, StageReporter, StageResult } from "@stagecraft/runs";
import { broadcastProgress } from "./broadcast-progress.js";
import { createBusPlanes, type BusPlanesOptions } from "./bus-planes.js";
import { createPpoFigures, type PpoFigures } from "./ppo-figures.js";
import type { TrainerStage } from "../runs/trainer-stage.js";

/** PPO whose sampling and scoring happen elsewhere, reached over the bus. */
export function createPpoRun(options: Omit<BusPlanesOptions, "runId" | "reporter">): TrainerStage {
  return {
    ...ppoStage,
    summary: "improve a model against a reward model by PPO, sampling and scoring on other servers",
    async run(config, context): Promise<StageResult> {
      const { runId } = context;
      const { bus, topology } = options;
      const planes = await createBusPlanes({ ...options, runId, reporter: context.reporter });
      const subject = topology.subjects.progress;
      const figures = createPpoFigures(options.metrics);
      const reporter = broadcastProgress(withFigures(context.reporter, figures), {
        bus,
        subject,
        runId,
      });
      const onPhase = (phase: StagePhase) => {
        const ended = [figures.onPhase(phase), planes.onPhase(phase)];
        return () => ended.forEach((end) => end());
      };
      let finished = false;
      try {
        const result = await runPpo(config as PpoConfig, { ...context, reporter, onPhase }, planes);
        finished = true;
        return result;
      } finally {
        await planes.close({ finished });
      }
    },
  };
}

function withFigures(reporter: StageReporter, { onRecord }: PpoFigures): StageReporter {
  return {
    ...reporter,
    metrics(record) {
      onRecord(record);
      reporter.metrics(record);
    },
  };
}
