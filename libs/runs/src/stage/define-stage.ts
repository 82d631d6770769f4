import { StagecraftError } from "@stagecraft/core";
import type { CommonConfig } from "./fields.js";
import { engineVersions, startEngine } from "./engine.js";
import type { StageContext, StageDefinition, StageResult } from "./stage.js";
import { withRun, type Run } from "../run/run.js";

/** Where a stage works: its run directory, held, and its context. */
export interface StageScope {
  run: Run;
  context: StageContext;
}

/** A stage but for what every stage does: all that is declared of it, and its work. */
export type StageSpec<C> = Omit<StageDefinition<C>, "run"> & {
  /** Whether a run that had finished goes on under this configuration. Default: never. */
  hasMore?(config: C, result: StageResult): boolean;
  /** The work, in the run's directory, with the engine started if the configuration has one. */
  work(config: C, scope: StageScope): Promise<StageResult>;
};

/**
 * The stage: it refuses settings that contradict each other, starts the engine, holds the run's
 * directory, and writes down how the work ended.
 */
export function defineStage<C extends object>(spec: StageSpec<C>): StageDefinition<C> {
  const { work, hasMore, ...stage } = spec;
  return {
    ...stage,
    async run(config, context) {
      const wrong = stage.contradictions?.(config) ?? [];
      if (wrong.length > 0) throw new StagecraftError("invalid_argument", wrong.join("; "));
      const versions =
        "engine" in stage.schema.shape
          ? engineVersions(await startEngine(config as C & CommonConfig, context.reporter))
          : {};
      return withRun(
        {
          ...{ stage, config, context, versions },
          hasMore: (result) => hasMore?.(config, result) ?? false,
        },
        (run) => work(config, { run, context }),
      );
    },
  };
}
