import { StagecraftError } from "@stagecraft/core";
import type { PlaceUnit } from "./formats/files/file-format.js";

/** Where a record stands in a file. */
export interface Origin {
  file: string;
  /** From 1: the line, the row of a table, the record of a list. */
  line: number;
  /** What `line` counts. Default lines. */
  unit?: PlaceUnit;
}

/** A place for people: `a.jsonl:3`, or `a.parquet, row 3`. */
export function placeOf({ file, line, unit = "line" }: Origin): string {
  return unit === "line" ? `${file}:${line}` : `${file}, ${unit} ${line}`;
}

// Beside the records and not in them, so that it is never written, compared or hashed.
const origins = new WeakMap<object, Origin>();

/** Remembers where a record was read, for messages about it. */
export function rememberOrigin(record: unknown, origin: Origin): void {
  if (typeof record === "object" && record !== null) origins.set(record, origin);
}

/** Where a reader of this library found the record; undefined for one that was made elsewhere. */
function originOf(record: object): Origin | undefined {
  return origins.get(record);
}

/** What messages call a record: `prompt "a" (prompts.jsonl:3)`, as far as id and place are known. */
export function nameRecord(what: string, record: { id?: string | undefined }): string {
  const origin = originOf(record);
  const id = record.id === undefined ? "" : ` "${record.id}"`;
  return `${what}${id}${origin ? ` (${placeOf(origin)})` : ""}`;
}

/** The result of work on a record; `invalid_argument` is thrown with the record's name. */
export function namingRecord<T>(
  what: string,
  record: { id?: string | undefined },
  work: () => T,
): T {
  try {
    return work();
  } catch (thrown) {
    const { code, reason, details } = StagecraftError.from(thrown);
    if (code !== "invalid_argument") throw thrown;
    const message = `${nameRecord(what, record)}: ${reason}`;
    throw new StagecraftError(code, message, { cause: thrown, details });
  }
}
