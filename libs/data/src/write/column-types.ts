import { StagecraftError } from "@stagecraft/core";
import type { SchemaElement as AnyElement } from "hyparquet";

/** An element of a table's schema, as old readers know it. */
type SchemaElement = Omit<AnyElement, "logical_type">;

/** What a column holds, as far as the records seen tell. */
export type ColumnType =
  | { kind: "unknown" | "text" | "integer" | "number" | "boolean" }
  | { kind: "list"; of: ColumnType }
  | { kind: "fields"; fields: Map<string, ColumnType> };

/** Nothing but null was seen. */
export const UNKNOWN: ColumnType = { kind: "unknown" };

/**
 * The type that holds all that `type` holds and the value.
 * @throws `invalid_argument` with `name` when there is none, such as for a text after numbers
 */
export function widened(type: ColumnType, value: unknown, name: string): ColumnType {
  if (value === undefined || value === null) return type;
  if (Array.isArray(value)) {
    const of = type.kind === "list" ? type.of : UNKNOWN;
    expect(type, "list", name);
    return { kind: "list", of: value.reduce<ColumnType>((t, v) => widened(t, v, name), of) };
  }
  if (typeof value === "object") {
    expect(type, "fields", name);
    const fields = new Map(type.kind === "fields" ? type.fields : []);
    for (const [field, v] of Object.entries(value)) {
      fields.set(field, widened(fields.get(field) ?? UNKNOWN, v, `${name}.${field}`));
    }
    return { kind: "fields", fields };
  }
  const kind = kindOf(value, name);
  const isNumeric = (k: string) => k === "integer" || k === "number";
  if (isNumeric(kind) && isNumeric(type.kind)) return kind === "number" ? { kind } : type;
  expect(type, kind, name);
  return { kind };
}

function kindOf(value: unknown, name: string): "text" | "integer" | "number" | "boolean" {
  if (typeof value === "string") return "text";
  if (typeof value === "boolean") return "boolean";
  if (typeof value === "number" && Number.isFinite(value)) {
    return Number.isSafeInteger(value) && !Object.is(value, -0) ? "integer" : "number";
  }
  throw mixed(name, `is ${String(value)}, which no table holds`);
}

function expect(type: ColumnType, kind: ColumnType["kind"], name: string): void {
  if (type.kind === "unknown" || type.kind === kind) return;
  throw mixed(name, `is ${type.kind} in one record and ${kind} in another`);
}

function mixed(name: string, what: string): StagecraftError {
  return new StagecraftError("invalid_argument", `"${name}" ${what}; write .jsonl instead`);
}

/** The elements of a column, itself first; everything may be null. */
export function elementsOf(name: string, type: ColumnType): SchemaElement[] {
  const optional = { name, repetition_type: "OPTIONAL" as const };
  switch (type.kind) {
    case "unknown":
    case "text":
      return [{ ...optional, type: "BYTE_ARRAY", converted_type: "UTF8" }];
    case "integer":
      return [{ ...optional, type: "INT64" }];
    case "number":
      return [{ ...optional, type: "DOUBLE" }];
    case "boolean":
      return [{ ...optional, type: "BOOLEAN" }];
    case "list": {
      const list: SchemaElement = { name: "list", repetition_type: "REPEATED", num_children: 1 };
      const head: SchemaElement = { ...optional, converted_type: "LIST", num_children: 1 };
      return [head, list, ...elementsOf("element", type.of)];
    }
    case "fields": {
      const children = [...type.fields].flatMap(([field, of]) => elementsOf(field, of));
      return [{ ...optional, num_children: type.fields.size }, ...children];
    }
  }
}

/** The value as the writer wants it for its column: whole numbers as 64-bit integers. */
export function stored(type: ColumnType, value: unknown): unknown {
  if (value === undefined || value === null) return null;
  if (type.kind === "integer") return BigInt(value as number);
  if (type.kind === "list") return (value as unknown[]).map((item) => stored(type.of, item));
  if (type.kind !== "fields") return value;
  const given = value as Record<string, unknown>;
  return Object.fromEntries([...type.fields].map(([name, of]) => [name, stored(of, given[name])]));
}
