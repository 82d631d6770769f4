import { parseArgs } from "node:util";
import {
  describeConfig,
  loadConfig,
  parseText,
  secretFiles,
  type FieldDoc,
} from "@stagecraft/config";
import { StagecraftError } from "@stagecraft/core";
import type { z } from "zod";

/** Secrets of a configuration that are read from files again and again, by field. */
export interface SecretFiles {
  secretFiles?: Readonly<Record<string, string>>;
}

/** A service's name as in its folder, its logs and its metrics. */
export type ServiceName = "policy" | "reward-model" | "rollout" | "trainer" | "gateway";

export interface ServiceArguments {
  service: ServiceName;
  args: readonly string[];
}

/**
 * Defaults, then `--config FILE`, then `STAGECRAFT_<SERVICE>_…` variables, then flags. `--help`
 * prints them all and ends the process. Throws `invalid_argument` with every problem.
 */
export async function loadServiceConfig<S extends z.ZodObject>(
  schema: S,
  { service, args }: ServiceArguments,
): Promise<Readonly<z.infer<S>> & SecretFiles> {
  const fields = describeConfig(schema);
  const { help, config: file, ...texts } = parse(args, fields);
  if (help) {
    process.stdout.write(helpText(service, fields));
    process.exit(0);
  }
  const flags = fields.flatMap((field) => {
    const text = texts[field.flag.slice(2)];
    return typeof text === "string" ? [[field.name, parseText(field, text)] as const] : [];
  });
  const prefix = environmentPrefix(service);
  const { config } = await loadConfig(schema, {
    file: file as string | undefined,
    environmentPrefix: prefix,
    flags: Object.fromEntries(flags),
  });
  const files = Object.entries(secretFiles(schema, prefix));
  const given = new Set(flags.map(([name]) => name));
  const live = Object.fromEntries(files.filter(([name]) => !given.has(name)));
  return Object.freeze({ ...config, secretFiles: live }) as Readonly<z.infer<S>> & SecretFiles;
}

function environmentPrefix(service: ServiceName): string {
  return `STAGECRAFT_${service.replaceAll("-", "_").toUpperCase()}`;
}

function parse(args: readonly string[], fields: readonly FieldDoc[]) {
  const texts = fields.map(({ flag }) => [flag.slice(2), { type: "string" }] as const);
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        help: { type: "boolean", short: "h" },
        config: { type: "string" },
        ...Object.fromEntries(texts),
      },
    });
    return values as Record<string, string | boolean | undefined>;
  } catch (error) {
    throw new StagecraftError("invalid_argument", `${(error as Error).message} (see --help)`);
  }
}

function helpText(service: ServiceName, fields: readonly FieldDoc[]): string {
  const width = Math.max(...fields.map(({ flag }) => flag.length));
  const lines = fields.map(
    ({ flag, doc, default: value }) =>
      `  ${flag.padEnd(width)}  ${doc}${value === undefined ? " (required)" : ` [${JSON.stringify(value)}]`}`,
  );
  return [
    `The ${service} service. Settings come from --config FILE (YAML or JSON), then from`,
    `${environmentPrefix(service)}_… variables, then from flags:`,
    "",
    ...lines,
    "",
  ].join("\n");
}
