import { present } from "@stagecraft/core";
import type { Message, Role } from "@stagecraft/tokenizer";
import { RecordProblem } from "../../bad-records.js";

export type Fields = Readonly<Record<string, unknown>>;

/** The value as an object, or a `RecordProblem`. */
export function objectOf(value: unknown, what = "the record"): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw new RecordProblem(`${what} must be an object, not ${spell(value)}`);
}

/** Whether the record has the field; null is the way of tables to say that it does not. */
export function has(fields: Fields, name: string): boolean {
  return fields[name] !== undefined && fields[name] !== null;
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
  ...[
    "context",
    "category",
    "history",
    "tools",
    "label",
    "labels",
    "completions",
    "message_tree_id",
  ],
  ...["ranks", "rank", "scores", "score", "rating", "rater", "criteria", "weight"],
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
/** Roles that others know, and no stage learns or renders. */
const FOREIGN_ROLES: readonly unknown[] = ["developer", "tool", "function", "ipython"];

/** Messages with known roles, at least one, a system message only at the start. */
export function messagesOf(value: unknown, name: string): Message[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw new RecordProblem(`"${name}" must be a list of messages with at least one`);
  }
  return value.map((item, i) => {
    const fields = objectOf(item, `${name}[${i}]`);
    const { role } = fields;
    if (!ROLES.includes(role)) {
      const foreign = FOREIGN_ROLES.includes(role) ? `, and "${role as string}" is not read` : "";
      throw new RecordProblem(
        `${name}[${i}].role must be "system", "user" or "assistant"${foreign}`,
      );
    }
    if (role === "system" && i > 0) {
      throw new RecordProblem(`${name}[${i}]: a system message must come first`);
    }
    return { role: role as Role, content: contentOf(fields, `${name}[${i}]`) };
  });
}

/** The text of a message: a string, or a list of parts that are all text. */
function contentOf(message: Fields, name: string): string {
  const { content } = message;
  const calls = ["tool_calls", "function_call"].find((field) => has(message, field));
  if (calls && !(Array.isArray(message[calls]) && message[calls].length === 0)) {
    throw new RecordProblem(`${name} has ${calls}, and calls of tools are not read`);
  }
  if (typeof content === "string") return content;
  if (Array.isArray(content) && content.length > 0) {
    return content.map((part, i) => partText(part, `${name}.content[${i}]`)).join("");
  }
  throw new RecordProblem(`${name}.content must be a string, not ${spell(content)}`);
}

function partText(part: unknown, name: string): string {
  const { type, text } = objectOf(part, name);
  if (type === "text" && typeof text === "string") return text;
  throw new RecordProblem(`${name} is not {type: "text", text}, and only text is read`);
}

/** A prompt: messages, or a text for one message of the user. */
export function promptMessages(value: unknown, name: string): Message[] {
  return typeof value === "string" ? [{ role: "user", content: value }] : messagesOf(value, name);
}

function spell(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
