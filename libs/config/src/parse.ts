import { StagecraftError } from "@stagecraft/core";
import type { z } from "zod";
import { describeConfig, type ConfigSchema, type FieldDoc } from "./describe.js";
import { suggest } from "./suggest.js";

export interface ParseOptions {
  /** Where the values come from, for messages: `policy.yaml`, `command line`. */
  source?: string;
  /** Where one value comes from: `policy.yaml:7`, `--top-k`; default the source. */
  locate?: (path: readonly PropertyKey[]) => string | undefined;
}

/**
 * Values checked, defaults filled in, frozen. Unknown keys are refused. Throws `invalid_argument` with
 * a line for every problem: where, field, value, what is expected; also as `details.problems`.
 */
export function parseConfig<S extends ConfigSchema>(
  schema: S,
  raw: unknown,
  { source = "config", locate }: ParseOptions = {},
): Readonly<z.output<S>> {
  const result = schema.strict().safeParse(raw ?? {}, { reportInput: true });
  if (result.success) return deepFreeze(result.data) as Readonly<z.output<S>>;
  const fields = describeConfig(schema);
  const problems = result.error.issues.flatMap((issue) =>
    explain(issue, fields, raw).map(({ path, text }) => {
      const place = locate?.(path) ?? source;
      return `${place}: ${text}`;
    }),
  );
  throw new StagecraftError(
    "invalid_argument",
    problems.length === 1
      ? problems[0]!
      : `${problems.length} problems in ${source}:\n${problems.map((line) => `  ${line}`).join("\n")}`,
    { details: { source, problems } },
  );
}

type Issue = z.core.$ZodIssue;
interface Problem {
  path: readonly PropertyKey[];
  text: string;
}

function explain(issue: Issue, fields: readonly FieldDoc[], raw: unknown): Problem[] {
  const { path } = issue;
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ path: [...path, key], text: unknownKey(key, path, fields) }));
  }
  const field = fields.find(({ name }) => name === path[0]);
  const value = valueAt(raw, path);
  const name = path.length === 0 ? "config" : pathText(path);
  if (value === undefined && issue.code === "invalid_type") {
    const doc = field?.doc ? ` (${field.doc})` : "";
    return [{ path, text: `${name} is missing; expected ${expectation(issue)}${doc}` }];
  }
  const shown = field?.secret ? "[hidden]" : shorten(value);
  return [{ path, text: `${name} is ${shown}; expected ${expectation(issue)}` }];
}

function unknownKey(
  key: string,
  path: readonly PropertyKey[],
  fields: readonly FieldDoc[],
): string {
  const names = path.length === 0 ? fields.map(({ name }) => name) : [];
  const similar = suggest(key, names);
  const hint =
    similar !== undefined
      ? `did you mean ${similar}?`
      : names.length > 0
        ? `known fields: ${names.join(", ")}`
        : "remove it";
  return `${pathText([...path, key])} is not a known field; ${hint}`;
}

function expectation(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return issue.expected === "int" ? "an integer" : `a value of type ${issue.expected}`;
    case "too_small":
      return `${sizeWord(issue.origin)}${issue.inclusive === false ? "above" : "at least"} ${issue.minimum}`;
    case "too_big":
      return `${sizeWord(issue.origin)}${issue.inclusive === false ? "below" : "at most"} ${issue.maximum}`;
    case "invalid_value":
      return issue.values.map((value) => JSON.stringify(value)).join(" or ");
    case "not_multiple_of":
      return `a multiple of ${issue.divisor}`;
    case "invalid_format":
      return `text in the form of ${issue.pattern ?? issue.format}`;
    case "invalid_union":
      return issue.errors
        .flatMap((branch) => branch.slice(0, 1).map((inner) => expectation(inner)))
        .join(", or ");
    default:
      return issue.message;
  }
}

function sizeWord(origin: string): string {
  if (origin === "string") return "a length of ";
  return origin === "array" || origin === "set" ? "a number of items of " : "";
}

/** `a.b[2]` */
function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) => (typeof part === "number" ? `[${part}]` : `${i ? "." : ""}${String(part)}`))
    .join("");
}

function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  let value = raw;
  for (const part of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}

function shorten(value: unknown): string {
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function deepFreeze(value: unknown): unknown {
  const plain =
    Array.isArray(value) ||
    (typeof value === "object" &&
      value !== null &&
      Object.getPrototypeOf(value) === Object.prototype);
  if (!plain) return value;
  for (const inner of Object.values(value as object)) deepFreeze(inner);
  return Object.freeze(value);
}
