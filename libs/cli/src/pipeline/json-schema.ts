import { z } from "zod";
import type { AnyStage } from "./plan.js";
import { pipelineSchema } from "./pipeline-file.js";

type Json = Record<string, unknown>;

/**
 * The JSON schema of pipeline files, with every stage's configuration in it, for editors and for
 * other tools. Any field may also be a reference such as `${base.model}`.
 */
export function pipelineJsonSchema(stages: ReadonlyMap<string, AnyStage>): object {
  const schema = z.toJSONSchema(pipelineSchema, { io: "input", unrepresentable: "any" }) as {
    properties: Record<string, Json>;
  };
  schema.properties["stages"]!["additionalProperties"] = {
    oneOf: [...stages].map(([name, { summary, schema: config }]) => ({
      type: "object",
      description: summary,
      properties: { stage: { const: name }, config: configSchema(config) },
      required: ["stage"],
      additionalProperties: false,
    })),
  };
  return { title: "Stagecraft pipeline", ...schema };
}

function configSchema(config: z.ZodType): Json {
  const { $schema: _, ...schema } = z.toJSONSchema(config, {
    io: "input",
    unrepresentable: "any",
  }) as Json;
  const fields = Object.entries((schema["properties"] ?? {}) as Record<string, Json>);
  const withReferences = fields.map(([name, { description, default: value, ...field }]) => [
    name,
    {
      ...(description === undefined ? {} : { description }),
      ...(value === undefined ? {} : { default: value }),
      anyOf: [field, { type: "string", pattern: "^\\$\\{[^}]+\\}$" }],
    },
  ]);
  return { ...schema, properties: Object.fromEntries(withReferences) };
}
