import { StagecraftError, type JsonObject, type JsonValue } from "@stagecraft/core";

/** A config.json of transformers, with our notes in it. */
export interface HfReader {
  readonly fields: JsonObject;
  /** What we wrote under `stagecraft`; empty in foreign models. */
  readonly note: JsonObject;
  /** The field, or one within another (`a.b`), as a number; throws `invalid_argument` when it is missing and has no fallback. */
  number(field: string, fallback?: number): number;
}

/** `source` is the file, for messages. */
export function createHfReader(fields: JsonObject, source: string): HfReader {
  return {
    fields,
    note: noteOf(fields),
    number(field, fallback) {
      const value = fieldAt(fields, field) ?? fallback;
      if (typeof value === "number") return value;
      throw new StagecraftError(
        "invalid_argument",
        `${source}: ${field} must be a number, got ${JSON.stringify(value) ?? "nothing"}`,
      );
    },
  };
}

function fieldAt(hf: JsonObject, path: string): JsonValue | undefined {
  const [first = "", ...rest] = path.split(".");
  const value = hf[first];
  return rest.length === 0 || !isObject(value) ? value : fieldAt(value, rest.join("."));
}

export function noteOf(hf: JsonObject): JsonObject {
  return isObject(hf["stagecraft"]) ? hf["stagecraft"] : {};
}

/** A problem when the field has a value that is not allowed; absent and null are. */
export function only(hf: JsonObject, field: string, allowed: readonly JsonValue[]): string[] {
  const value = hf[field];
  if (value == null || allowed.includes(value)) return [];
  return [`${field} ${JSON.stringify(value)} (must be ${allowed.join(" or ")})`];
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
