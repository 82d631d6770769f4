import { createBadRecordPolicy, RecordProblem, type BadRecordPolicy } from "./bad-records.js";
import type { RecordFileFormat } from "./formats/files/file-format.js";
import { isRecordFile, recordFileFormatOf } from "./formats/files/table.js";
import { objectOf, type Fields } from "./formats/records/fields.js";
import type { RecordKinds } from "./formats/records/record-format.js";
import { formatFor, formatNamed } from "./formats/records/table.js";
import { renamed } from "./columns.js";
import { listFiles } from "./list-files.js";
import { rememberOrigin, type Origin } from "./origin.js";
import type { RecordOptions } from "./types.js";

/** Turns a stored value into records; throws `RecordProblem` with the reason when it is malformed. */
export type RecordParser<T> = (value: unknown, origin: Origin) => T[];

/** The files with records of paths, folders and patterns, in order. */
export async function listRecordFiles(paths: string | readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of typeof paths === "string" ? [paths] : paths) {
    files.push(...(await listFiles(path, isRecordFile)));
  }
  return files;
}

/** Every record of one kind in several files or folders of them, in order. */
export async function* readKind<K extends keyof RecordKinds>(
  kind: K,
  paths: string | readonly string[],
  { idOf = () => "", ...options }: RecordOptions & { idOf?: (origin: Origin) => string } = {},
): AsyncGenerator<RecordKinds[K]> {
  const policy = createBadRecordPolicy(options);
  const read = parserOf(kind, options);
  const parse: RecordParser<RecordKinds[K]> = (value, origin) => read(value, idOf(origin));
  for (const file of await listRecordFiles(paths)) {
    yield* readRecordFile(recordFileFormatOf(file), { file, parse, policy }, options.signal);
  }
}

/**
 * What `parse` makes of every record of files or folders, in order; it throws `RecordProblem` for a
 * record that is malformed. For records that are none of the kinds, such as the items of a benchmark.
 */
export async function* readParsed<T>(
  paths: string | readonly string[],
  parse: (fields: Fields) => T,
  options: RecordOptions = {},
): AsyncGenerator<T> {
  const policy = createBadRecordPolicy(options);
  const parseOne = (value: unknown) => [parse(renamed(objectOf(value), options.columns ?? {}))];
  for (const file of await listRecordFiles(paths)) {
    const how = { file, parse: parseOne, policy };
    yield* readRecordFile(recordFileFormatOf(file), how, options.signal);
  }
}

/** What reads one kind from a stored value, as the options say; the id is for a record without one. */
function parserOf<K extends keyof RecordKinds>(
  kind: K,
  { format = "auto", columns = {} }: Pick<RecordOptions, "format" | "columns">,
): (value: unknown, id: string) => RecordKinds[K][] {
  const named = format === "auto" ? undefined : formatNamed(kind, format);
  return (value, id) => {
    const fields = renamed(objectOf(value), columns);
    const parsed = (named ?? formatFor(kind, fields))[kind]!(fields, id);
    return parsed as RecordKinds[K][];
  };
}

/** Every record of one file; malformed ones go to the policy. */
export async function* readRecordFile<T>(
  format: RecordFileFormat,
  { file, parse, policy }: { file: string; parse: RecordParser<T>; policy: BadRecordPolicy },
  signal?: AbortSignal,
): AsyncGenerator<T> {
  for await (const stored of format.readRecords(file, signal)) {
    const origin: Origin = { file, line: stored.place, unit: format.unit };
    let records: T[] = [];
    try {
      if ("problem" in stored) throw new RecordProblem(stored.problem);
      records = parse(stored.value, origin);
    } catch (thrown) {
      if (!(thrown instanceof RecordProblem)) throw thrown;
      policy.reject(origin, thrown.message);
    }
    for (const record of records) {
      rememberOrigin(record, origin);
      yield record;
    }
  }
}
