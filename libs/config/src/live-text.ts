import { readFileSync } from "node:fs";
import { describeConfig, type ConfigSchema } from "./describe.js";
import { readEnvironment, variableName, type Environment } from "./environment.js";

/** How often a file is looked at, at most. */
const LOOK_EVERY_MS = 1000;

/** Secret fields that come as `<PREFIX>_<FIELD>_FILE`, with their files: these may change at any time. */
export function secretFiles(
  schema: ConfigSchema,
  prefix: string,
  environment: Environment = readEnvironment(),
): Record<string, string> {
  const entries = describeConfig(schema).flatMap(({ name, secret }) => {
    const variable = variableName(prefix, name);
    const file = environment[variable] ? undefined : environment[`${variable}_FILE`];
    return secret && file ? [[name, file] as const] : [];
  });
  return Object.fromEntries(entries);
}

/**
 * The text of a small file as it is now, without its last line end; looked at once a second at most.
 * While it cannot be read or is empty, the text that it had before, at first `initial`.
 */
export function liveText(
  file: string,
  initial: string,
  now: () => number = () => performance.now(),
): () => string {
  let text = initial;
  let lookedAt = -Infinity;
  return () => {
    if (now() - lookedAt < LOOK_EVERY_MS) return text;
    lookedAt = now();
    try {
      text = readFileSync(file, "utf8").replace(/\r?\n$/, "") || text;
    } catch {
      // Renewed by removing and writing: the next look finds it.
    }
    return text;
  };
}
