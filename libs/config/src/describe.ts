import type { JsonObject, JsonValue } from "@stagecraft/core";
import { z } from "zod";

/** What a config is declared with: a flat zod object, each field `.describe()`d. */
export type ConfigSchema = z.ZodObject;

/** One field, as help texts, tables and flags need it. */
export interface FieldDoc {
  /** As in files: `learningRate`. */
  name: string;
  /** As on the command line: `--learning-rate`. */
  flag: string;
  /** For people: `integer`, `"cosine" | "linear"`, `string[]`. */
  type: string;
  /** What text on a command line or in the environment is read as. */
  kind: "string" | "number" | "integer" | "boolean" | "array" | "json";
  required: boolean;
  default?: JsonValue;
  min?: number;
  max?: number;
  choices?: readonly JsonValue[];
  doc: string;
  examples: readonly JsonValue[];
  /** Never printed. */
  secret: boolean;
}

/** The part of JSON Schema that zod writes for our fields. */
interface JsonSchema {
  type?: string;
  description?: string;
  default?: JsonValue;
  enum?: JsonValue[];
  const?: JsonValue;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  examples?: JsonValue[];
  secret?: boolean;
}

/** JSON Schema (2020-12) of what a file may contain; for editors and for publishing. */
export function configJsonSchema(schema: ConfigSchema): JsonObject {
  const strict = schema.strict();
  return z.toJSONSchema(strict, { io: "input", unrepresentable: "any" }) as unknown as JsonObject;
}

/** Every field in order of declaration. */
export function describeConfig(schema: ConfigSchema): FieldDoc[] {
  const { properties = {}, required = [] } = configJsonSchema(schema) as unknown as JsonSchema;
  return Object.entries(properties).map(([name, field]) =>
    describeField(name, field, required.includes(name)),
  );
}

/** The fields as a Markdown table, for READMEs. */
export function describeConfigTable(schema: ConfigSchema): string {
  const rows = describeConfig(schema).map((field) => {
    const fallback = field.required ? "required" : `\`${JSON.stringify(field.default) ?? "–"}\``;
    const cells = [`\`${field.name}\``, field.type, fallback, rangeText(field), field.doc];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  return ["| field | type | default | range | meaning |", "|---|---|---|---|---|", ...rows].join(
    "\n",
  );
}

/** `learningRate` → `learning-rate`, `topK` → `top-k`. */
export function kebabCase(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1-$2").toLowerCase();
}

function describeField(name: string, field: JsonSchema, required: boolean): FieldDoc {
  // zod writes the bounds of the safe integers for every `.int()`.
  const bound = (value: number | undefined) =>
    value === undefined || Math.abs(value) === Number.MAX_SAFE_INTEGER ? undefined : value;
  const min = bound(field.minimum ?? field.exclusiveMinimum);
  const max = bound(field.maximum ?? field.exclusiveMaximum);
  const choices = field.enum ?? (field.const === undefined ? undefined : [field.const]);
  return {
    name,
    flag: `--${kebabCase(name)}`,
    type: typeText(field),
    kind: kindOf(field),
    required,
    doc: field.description ?? "",
    examples: field.examples ?? [],
    secret: field.secret === true,
    ...(field.default === undefined ? {} : { default: field.default }),
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    ...(choices === undefined ? {} : { choices }),
  };
}

function typeText(field: JsonSchema): string {
  if (field.enum) return field.enum.map((choice) => JSON.stringify(choice)).join(" | ");
  if (field.const !== undefined) return JSON.stringify(field.const);
  if (field.anyOf) return field.anyOf.map(typeText).join(" | ");
  if (field.type === "array") return `${typeText(field.items ?? {})}[]`;
  return field.type ?? "any";
}

function kindOf(field: JsonSchema): FieldDoc["kind"] {
  const kinds = new Set((field.anyOf ?? [field]).map(singleKind));
  kinds.delete("null" as FieldDoc["kind"]);
  return kinds.size === 1 ? [...kinds][0]! : "json";
}

function singleKind({ type, enum: choices }: JsonSchema): FieldDoc["kind"] {
  if (type === undefined && choices?.every((choice) => typeof choice === "string")) return "string";
  const known = ["string", "number", "integer", "boolean", "array"] as const;
  return known.find((kind) => kind === type) ?? (type === "null" ? (type as "json") : "json");
}

function rangeText({ min, max }: FieldDoc): string {
  if (min === undefined && max === undefined) return "";
  if (max === undefined) return `≥ ${min}`;
  return min === undefined ? `≤ ${max}` : `${min} … ${max}`;
}
