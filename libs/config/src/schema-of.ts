import type { ConfigSchema } from "./describe.js";

/** Every stage's schema is a flat zod object; the type in its definition only promises less. */
export function schemaOf(stage: { schema: unknown }): ConfigSchema {
  return stage.schema as ConfigSchema;
}
