import { StagecraftError } from "@stagecraft/core";
import type { FieldDoc } from "./describe.js";

/** What is asked of a field to read its text. */
export type TextField = Pick<FieldDoc, "kind" | "type" | "name" | "flag">;

const TRUE = new Set(["true", "yes", "on", "1"]);
const FALSE = new Set(["false", "no", "off", "0"]);

/**
 * A value from the text of a flag or variable, by the kind of its field. Lists are JSON or separated by
 * commas. Text that does not fit is returned as it is, for `parseConfig` to report with the rest;
 * only broken JSON throws `invalid_argument`.
 */
export function parseText(field: TextField, text: string): unknown {
  switch (field.kind) {
    case "string":
      return text;
    case "number":
    case "integer":
      return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text.trim()) ? Number(text) : text;
    case "boolean": {
      const word = text.trim().toLowerCase();
      return TRUE.has(word) ? true : FALSE.has(word) ? false : text;
    }
    case "array":
      return text.trim().startsWith("[") ? parseJson(field, text) : splitList(field, text);
    case "json":
      return /^\s*[[{"]/.test(text) ? parseJson(field, text) : parseScalar(text);
  }
}

function splitList(field: TextField, text: string): unknown[] {
  const items = text.split(",").map((item) => item.trim());
  if (items.length === 1 && items[0] === "") return [];
  return /^(number|integer)\[\]$/.test(field.type) ? items.map(parseScalar) : items;
}

function parseScalar(text: string): unknown {
  if (text === "null") return null;
  if (text === "true" || text === "false") return text === "true";
  return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

function parseJson(field: TextField, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new StagecraftError(
      "invalid_argument",
      `${field.flag} is not valid JSON: ${(cause as Error).message}`,
      { cause, details: { field: field.name } },
    );
  }
}
