import { ApiError } from "../api/client.js";

/** A field of a stage's configuration, as a form shows it. */
export interface ConfigField {
  name: string;
  hint: string;
  type: "string" | "number" | "integer" | "boolean" | "array" | "json";
  /** Of an array: of its elements. */
  itemType: "string" | "number";
  isRequired: boolean;
  /** The default, as it is written; empty where there is none. */
  initial: string;
  choices: string[];
}

interface FieldSchema {
  type?: string;
  enum?: unknown[];
  default?: unknown;
  description?: string;
  items?: FieldSchema;
}

/** The fields of a flat JSON schema, those that must be given first. */
export function fieldsOf(schema: Record<string, unknown>): ConfigField[] {
  const properties = (schema["properties"] ?? {}) as Record<string, FieldSchema>;
  const required = new Set((schema["required"] ?? []) as string[]);
  const fields = Object.entries(properties).map(([name, field]): ConfigField => {
    const type = typeOf(field);
    return {
      ...{ name, type, hint: field.description ?? "" },
      itemType:
        field.items?.type === "number" || field.items?.type === "integer" ? "number" : "string",
      // A schema of outputs calls fields with a default required too.
      isRequired: required.has(name) && field.default === undefined,
      initial: writtenAs(field.default),
      choices: type === "boolean" ? ["true", "false"] : (field.enum ?? []).map(String),
    };
  });
  return fields.sort((a, b) => Number(b.isRequired) - Number(a.isRequired));
}

/** What was filled in, as configuration. Throws an ApiError that names a field that cannot be read. */
export function configOf(
  fields: readonly ConfigField[],
  values: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const given = fields.flatMap((field) => {
    const text = (values[field.name] ?? "").trim();
    return text === "" ? [] : [[field.name, parsed(field, text)] as const];
  });
  return Object.fromEntries(given);
}

function parsed({ name, type, itemType }: ConfigField, text: string): unknown {
  switch (type) {
    case "number":
    case "integer":
      return numberOf(name, text);
    case "boolean":
      return text === "true";
    case "array": {
      const parts = text.split(/[,\n]/).map((part) => part.trim());
      const items = parts.filter((part) => part !== "");
      return itemType === "number" ? items.map((item) => numberOf(name, item)) : items;
    }
    case "json":
      try {
        return JSON.parse(text);
      } catch {
        throw wrong(name, `"${text}" is no JSON`);
      }
    case "string":
      return text;
  }
}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value)) return value;
  throw wrong(name, `"${text}" is no number`);
}

function wrong(name: string, what: string): ApiError {
  return new ApiError("invalid_argument", `${name}: ${what}`, "Correct it and start again.", name);
}

function typeOf({ type, enum: choices }: FieldSchema): ConfigField["type"] {
  if (choices) return "string";
  const known = ["string", "number", "integer", "boolean", "array"] as const;
  return known.find((each) => each === type) ?? "json";
}

function writtenAs(value: unknown): string {
  if (value === undefined) return "";
  if (Array.isArray(value)) return value.join(", ");
  return typeof value === "string" ? value : JSON.stringify(value);
}
