import { present } from "@stagecraft/core";
import type { Message, Role } from "@stagecraft/tokenizer";
import { RecordProblem } from "../../bad-records.js";

export type Fields = Readonly<Record<string, unknown>>;

/** The value as an object, or a `RecordProblem`. */
export function objectOf(value: unknown, what = "the record"): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw new RecordProblem(`${what} must be an object, not ${spell(value)}`);
}

export function stringField(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === "string") return value;
  const has = value === undefined ? `; ${fieldsOf(fields)}` : "";
  throw new RecordProblem(`"${name}" must be a string, not ${spell(value)}${has}`);
}

/** Names of fields in our formats and in those of other tools; others may be content of a file. */
const KNOWN_FIELDS = [
  ...["id", "kind", "name", "messages", "conversations", "conversation", "text", "content", "body"],
  ...["prompt", "question", "query", "instruction", "instances", "input", "output", "system"],
  ...["completion", "response", "answer", "answers", "reference", "accepted", "chosen", "rejected"],
  ...["ranks", "rank", "scores", "score", "rating", "label", "rater", "criteria", "weight"],
];

/** What a record has instead of what is missing; names that nobody knows are only counted. */
export function fieldsOf(fields: Fields): string {
  const known = KNOWN_FIELDS.filter((name) => Object.hasOwn(fields, name));
  const others = Object.keys(fields).length - known.length;
  const parts = [...known, ...(others > 0 ? [`${others} unknown`] : [])];
  return `this record has ${parts.join(", ") || "no fields"}`;
}

/** The string, or undefined when the field is missing or null; a number id becomes a string. */
export function optionalString(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  if (name === "id" && typeof value === "number") return String(value);
  return stringField(fields, name);
}

/** The id and the kind, where the record has them. */
export function labelsOf(fields: Fields): { id?: string; kind?: string } {
  return present({ id: optionalString(fields, "id"), kind: optionalString(fields, "kind") });
}

export function stringList(value: unknown, name: string): string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw new RecordProblem(`"${name}" must be a list of strings`);
}

export function numberList(value: unknown, name: string, length: number): number[] {
  if (!Array.isArray(value) || !value.every((item) => Number.isFinite(item))) {
    throw new RecordProblem(`"${name}" must be a list of numbers`);
  }
  if (value.length === length) return value as number[];
  throw new RecordProblem(`"${name}" has ${value.length} numbers for ${length} answers`);
}

const ROLES: readonly unknown[] = ["system", "user", "assistant"] satisfies Role[];

/** Messages with known roles, at least one, a system message only at the start. */
export function messagesOf(value: unknown, name: string): Message[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw new RecordProblem(`"${name}" must be a list of messages with at least one`);
  }
  return value.map((item, i) => {
    const fields = objectOf(item, `${name}[${i}]`);
    if (!ROLES.includes(fields["role"])) {
      throw new RecordProblem(`${name}[${i}].role must be "system", "user" or "assistant"`);
    }
    if (fields["role"] === "system" && i > 0) {
      throw new RecordProblem(`${name}[${i}]: a system message must come first`);
    }
    if (typeof fields["content"] !== "string") {
      throw new RecordProblem(
        `${name}[${i}].content must be a string, not ${spell(fields["content"])}`,
      );
    }
    return { role: fields["role"] as Role, content: fields["content"] };
  });
}

/** A request: messages, or a text for one message of the user. */
export function promptMessages(value: unknown, name: string): Message[] {
  return typeof value === "string" ? [{ role: "user", content: value }] : messagesOf(value, name);
}

function spell(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
