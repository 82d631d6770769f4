import type { ConfigSchema } from "@stagecraft/config";
import { StagecraftError } from "@stagecraft/core";
import {
  checkStage,
  type StageContext,
  type StageDefinition,
  type StageResult,
} from "@stagecraft/runs";
import { z } from "zod";

/** Everything a stage gets when it runs under the trainer. */
export type TrainerStageContext = StageContext & { runId: string };

/** A stage as the trainer runs it. */
export interface TrainerStage {
  name: string;
  summary: string;
  schema: ConfigSchema;
  /** `config` is what `schema` made of the caller's. */
  run(config: unknown, context: TrainerStageContext): Promise<StageResult>;
}

/** A stage that needs nothing but its config. Throws when its schema is not a flat object. */
export function toTrainerStage<C>(definition: StageDefinition<C>): TrainerStage {
  const { name, summary, schema } = definition;
  if (!(schema instanceof z.ZodObject)) {
    throw new StagecraftError("internal", `the config of stage ${name} is not a zod object`);
  }
  return {
    name,
    summary,
    schema,
    async run(config, context) {
      await checkStage(definition, config as C);
      return await definition.run(config as C, context);
    },
  };
}
