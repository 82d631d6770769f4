import { ensureTopology } from "@stagecraft/bus";
import { StagecraftError } from "@stagecraft/core";
import { ppoStage, runPpo, type PpoConfig } from "@stagecraft/ppo";
import type { StagePhase, StageReporter, StageResult } from "@stagecraft/runs";
import { openWeightPublisher, type PublisherOptions } from "@stagecraft/weights";
import { broadcastProgress } from "./broadcast-progress.js";
import { createBusRollouts, type BusRolloutsOptions } from "./bus-rollouts.js";
import { createPpoFigures, type PpoFigures } from "./ppo-figures.js";
import type { TrainerStage } from "../runs/trainer-stage.js";

/** What its rollouts and its weights travel through. */
export type PpoRunOptions = Omit<BusRolloutsOptions, "runId" | "reporter" | "weights"> &
  Omit<PublisherOptions, "runId"> & {
    /** The policies sample with the chat template of the run. Default: with that of their model alone. */
    samplersTakeTemplate?: boolean;
  };

/** PPO whose sampling and scoring happen elsewhere, reached over the bus. */
export function createPpoRun(options: PpoRunOptions): TrainerStage {
  return {
    ...ppoStage,
    summary: "improve a model against a reward model by PPO, sampling and scoring on other servers",
    async run(config, context): Promise<StageResult> {
      checkTemplate(config as PpoConfig, options);
      const { runId } = context;
      const { bus, topology } = options;
      await ensureTopology(bus, topology);
      const weights = await openWeightPublisher({ ...options, runId });
      const more = { runId, weights, reporter: context.reporter };
      const rollouts = await createBusRollouts({ ...options, ...more });
      const subject = topology.subjects.progress;
      const figures = createPpoFigures(options.metrics);
      const reporter = broadcastProgress(withFigures(context.reporter, figures), {
        bus,
        subject,
        runId,
      });
      const onPhase = (phase: StagePhase) => {
        const ended = [figures.onPhase(phase), rollouts.onPhase(phase)];
        return () => ended.forEach((end) => end());
      };
      let finished = false;
      try {
        const scope = { ...context, reporter, onPhase };
        const result = await runPpo(config as PpoConfig, scope, { rollouts, weights });
        finished = true;
        return result;
      } finally {
        await rollouts.close({ finished });
      }
    },
  };
}

/** Another template than the samplers' would end answers at other tokens than those that were sampled for. */
function checkTemplate({ chatTemplate }: PpoConfig, { samplersTakeTemplate }: PpoRunOptions): void {
  if (chatTemplate === "" || samplersTakeTemplate) return;
  throw new StagecraftError(
    "failed_precondition",
    "chatTemplate: the policies of a cluster render and end answers by the template of their model; teach it to the model (stagecraft sft --chat-template), or run ppo without --cluster",
    { details: { field: "chatTemplate" } },
  );
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
