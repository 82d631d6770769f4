import { Option, type Command } from "commander";
import { loadConfigFile, parseConfig } from "@stagecraft/config";
import type { JsonObject } from "@stagecraft/core";
import type { z } from "zod";
import { UsageError } from "../app/usage-error.js";
import { describeFields, type Field } from "./fields.js";

/** Adds `--config FILE` and one flag for every field of a schema. */
export function addConfigFlags(command: Command, schema: z.ZodType): void {
  command.option("--config <file>", "configuration (YAML or JSON); flags win over it");
  for (const field of describeFields(schema)) command.addOption(toOption(field));
}

/**
 * The validated configuration: defaults, then `--config FILE`, then `more`, then flags that were
 * given. Throws UsageError naming every problem at once.
 */
export function readConfig<C>(schema: z.ZodType<C>, command: Command, more: object = {}): C {
  const { config: file } = command.opts<{ config?: string }>();
  const fromFile = file === undefined ? {} : UsageError.wrap(() => loadConfigFile(file));
  const raw = { ...fromFile, ...more, ...givenFlags(schema, command) };
  const source = file === undefined ? "the command line" : `${file} and the command line`;
  return UsageError.wrap(() => parseConfig(schema, raw, { source })) as C;
}

/** Only what the user typed; commander would otherwise mix in defaults that hide the file's values. */
function givenFlags(schema: z.ZodType, command: Command): JsonObject {
  const options = command.opts<Record<string, unknown>>();
  return Object.fromEntries(
    describeFields(schema)
      .filter(({ name }) => command.getOptionValueSource(name) === "cli")
      .map((field) => [field.name, toValue(field, options[field.name])]),
  ) as JsonObject;
}

function toOption(field: Field): Option {
  const help = helpText(field);
  const { flag, kind } = field;
  if (kind === "boolean")
    return new Option(field.default === true ? `--no-${flag.slice(2)}` : flag, help);
  const value = { text: "text", number: "number", choice: "name", json: "json", list: "values" }[
    kind
  ];
  return new Option(kind === "list" ? `${flag} <${value}...>` : `${flag} <${value}>`, help);
}

function helpText({ doc, choices, default: value, min, max, isRequired }: Field): string {
  const range =
    min === undefined
      ? max !== undefined && `≤ ${max}`
      : max === undefined
        ? `≥ ${min}`
        : `${min} to ${max}`;
  const facts = [
    choices.length > 0 && choices.join(" | "),
    range,
    value !== undefined && value !== null && `default ${JSON.stringify(value)}`,
    isRequired && "required",
  ].filter(Boolean);
  return facts.length > 0 ? `${doc} [${facts.join("; ")}]` : doc;
}

/** Text becomes a number or JSON where the field wants one; what does not parse is left for the
 * schema, which names the field and what it expects. */
function toValue(field: Field, given: unknown): unknown {
  if (Array.isArray(given))
    return given.map((each) => (looksLikeJson(each) ? parseJson(each) : each));
  if (field.kind === "number" && typeof given === "string" && given.trim() !== "") {
    return Number.isNaN(Number(given)) ? given : Number(given);
  }
  return field.kind === "json" || looksLikeJson(given) ? parseJson(given) : given;
}

function looksLikeJson(given: unknown): boolean {
  return typeof given === "string" && /^[[{]/.test(given);
}

function parseJson(given: unknown): unknown {
  try {
    return JSON.parse(String(given));
  } catch {
    return given;
  }
}
