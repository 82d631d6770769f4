import { configJsonSchema, schemaOf } from "@stagecraft/config";
import type { AnyStage } from "./plan.js";
import { pipelineSchema } from "./pipeline-file.js";

type Json = Record<string, unknown>;

/**
 * The JSON schema of pipeline files, with every stage's configuration in it, for editors and for
 * other tools. Any field may also be a reference such as `${base.model}`.
 */
export function pipelineJsonSchema(stages: ReadonlyMap<string, AnyStage>): object {
  const { properties, ...rest } = configJsonSchema(pipelineSchema) as {
    properties: Record<string, Json>;
  };
  const entries = {
    ...properties["stages"],
    additionalProperties: { oneOf: [...stages.values()].map(stageSchema) },
  };
  return { title: "Stagecraft pipeline", ...rest, properties: { ...properties, stages: entries } };
}

function stageSchema(stage: AnyStage): Json {
  return {
    type: "object",
    description: stage.summary,
    properties: { stage: { const: stage.name }, config: withReferences(stage) },
    required: ["stage"],
    additionalProperties: false,
  };
}

function withReferences(stage: AnyStage): Json {
  const {
    $schema: _,
    properties,
    ...rest
  } = configJsonSchema(schemaOf(stage)) as {
    $schema?: string;
    properties: Record<string, Json>;
  };
  const reference = { type: "string", pattern: "^\\$\\{[^}]+\\}$" };
  const fields = Object.entries(properties).map(([name, field]) => {
    const { description, default: value, ...type } = field;
    return [name, { description, default: value, anyOf: [type, reference] }];
  });
  return { ...rest, properties: Object.fromEntries(fields) as Json };
}
