import type { JsonObject, JsonValue } from "@stagecraft/core";
import { describeConfig, type ConfigSchema } from "./describe.js";

const HIDDEN = "[hidden]";

/** The values with secrets replaced, for logs and for storing beside checkpoints. */
export function redactConfig(schema: ConfigSchema, config: object): JsonObject {
  const secrets = new Set(
    describeConfig(schema)
      .filter(({ secret }) => secret)
      .map(({ name }) => name),
  );
  const entries = Object.entries(config as Record<string, JsonValue>).map(
    ([name, value]): [string, JsonValue] => [
      name,
      secrets.has(name) && value !== undefined && value !== null ? HIDDEN : value,
    ],
  );
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}
