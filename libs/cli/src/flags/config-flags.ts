import { Option, type Command } from "commander";
import {
  type ConfigSchema,
  describeConfig,
  type FieldDoc,
  loadConfig,
  parseText,
  UsageError,
} from "@stagecraft/config";

/** Adds `--config FILE` and one flag for every field of a schema. */
export function addConfigFlags(command: Command, schema: ConfigSchema): void {
  command.option("--config <file>", "configuration (YAML or JSON); flags win over it");
  for (const field of describeConfig(schema)) command.addOption(toOption(field));
}

/**
 * The validated configuration: defaults, then `--config FILE`, then variables with the prefix if any,
 * then the flags that were given. Throws UsageError naming every problem at once, each with the file's
 * line or the flag it came from.
 */
export async function readConfig(
  schema: ConfigSchema,
  command: Command,
  environmentPrefix?: string,
): Promise<unknown> {
  const { config: file } = command.opts<{ config?: string }>();
  const options = command.opts<Record<string, unknown>>();
  const given = describeConfig(schema).filter(
    ({ name }) => command.getOptionValueSource(name) === "cli",
  );
  const read = (field: FieldDoc) => [field.name, toValue(field, options[field.name])];
  return UsageError.wrap(async () => {
    const flags = Object.fromEntries(given.map(read)) as Record<string, unknown>;
    const environment = environmentPrefix === undefined ? {} : { environmentPrefix };
    return (await loadConfig(schema, { file, flags, ...environment })).config;
  });
}

function toOption(field: FieldDoc): Option {
  const { flag, kind } = field;
  const help = helpText(field);
  if (kind === "boolean") {
    return new Option(field.default === true ? `--no-${flag.slice(2)}` : flag, help);
  }
  return new Option(kind === "array" ? `${flag} <value...>` : `${flag} <${kind}>`, help);
}

function helpText({ doc, choices, default: value, min, max, required }: FieldDoc): string {
  const facts = [
    choices?.join(" | "),
    rangeText(min, max),
    value === undefined || value === null ? "" : `default ${JSON.stringify(value)}`,
    required ? "required" : "",
  ].filter(Boolean);
  return facts.length > 0 ? `${doc} [${facts.join("; ")}]` : doc;
}

function rangeText(min: number | undefined, max: number | undefined): string {
  if (min !== undefined && max !== undefined) return `${min} to ${max}`;
  if (min !== undefined) return `≥ ${min}`;
  return max === undefined ? "" : `≤ ${max}`;
}

/** What does not parse is left as text for the schema, which names the field and what it expects. */
function toValue(field: FieldDoc, given: unknown): unknown {
  return typeof given === "string" ? parseText(field, given) : given;
}
