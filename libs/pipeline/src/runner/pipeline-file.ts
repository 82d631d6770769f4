import { text } from "@stagecraft/fields";
import { z } from "zod";
import { loadConfigFile, parseConfig, UsageError } from "@stagecraft/config";

const ID = z.string().regex(/^[a-z][a-z0-9-]*$/, "lower-case letters, digits and dashes");

/** A pipeline file: stages in the order they run, each a configuration that may refer to earlier ones. */
export const pipelineSchema = z.strictObject({
  $schema: z.string().optional().describe("JSON schema of this file, for editors"),
  name: text().describe("What the pipeline makes"),
  run: text().describe("Directory of the run; every stage gets a folder of its id in it"),
  variables: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
    .default({})
    .describe("Values for ${name} in the configurations; `--set name=value` wins over them"),
  stages: z
    .record(
      ID,
      z.strictObject({
        stage: z.string().describe("Which stage: tokenizer, pretrain, sft, …"),
        config: z.record(z.string(), z.unknown()).default({}).describe("The stage's configuration"),
      }),
    )
    .refine((stages) => Object.keys(stages).length > 0, "at least one stage")
    .describe(
      "Stages by id, run from top to bottom; ${id.output} is an output of an earlier stage",
    ),
});

export type PipelineFile = z.infer<typeof pipelineSchema>;

/** Reads and validates a pipeline file; throws UsageError naming every problem. */
export function readPipelineFile(path: string): Promise<PipelineFile> {
  return UsageError.wrap(async () => {
    const { values, locate } = await loadConfigFile(path);
    return parseConfig(pipelineSchema, values, { source: path, locate });
  });
}
