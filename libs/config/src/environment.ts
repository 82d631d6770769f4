import { readFileSync } from "node:fs";
import { StagecraftError } from "@stagecraft/core";
import { describeConfig, kebabCase, type ConfigSchema, type FieldDoc } from "./describe.js";
import { parseText } from "./text.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** This process's environment. The only place of the product that reads it. */
export function readEnvironment(): Environment {
  return process.env;
}

/** A variable that others have named, such as KUBECONFIG; empty counts as absent. */
export function environmentVariable(
  name: string,
  environment: Environment = readEnvironment(),
): string | undefined {
  return environment[name] || undefined;
}

/**
 * The fields given as variables `<PREFIX>_<FIELD_NAME>`; empty ones count as absent. A field may also
 * come as `<PREFIX>_<FIELD_NAME>_FILE`, the path of a file with the value (mounted secrets). Other
 * variables with the prefix are ignored: Kubernetes makes such names of its own.
 */
export function fromEnvironment(
  schema: ConfigSchema,
  prefix: string,
  environment: Environment = readEnvironment(),
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const field of describeConfig(schema)) {
    const variable = variableName(prefix, field.name);
    const text = environment[variable] || fileText(field, variable, environment);
    if (text !== undefined) values[field.name] = parseText(field, text);
  }
  return values;
}

/** `topK` under `STAGECRAFT_POLICY` → `STAGECRAFT_POLICY_TOP_K`. */
export function variableName(prefix: string, name: string): string {
  return `${prefix}_${kebabCase(name).replaceAll("-", "_").toUpperCase()}`;
}

function fileText(field: FieldDoc, variable: string, environment: Environment): string | undefined {
  const file = environment[`${variable}_FILE`];
  if (!file) return undefined;
  try {
    return readFileSync(file, "utf8").replace(/\r?\n$/, "");
  } catch (cause) {
    const { code } = StagecraftError.from(cause);
    throw new StagecraftError(code, `${variable}_FILE: cannot read ${file} for ${field.name}`, {
      cause,
      details: { file, field: field.name },
    });
  }
}
