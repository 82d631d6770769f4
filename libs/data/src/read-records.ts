import { createBadRecordPolicy, RecordProblem, type BadRecordPolicy } from "./bad-records.js";
import type { RecordFileFormat } from "./formats/files/file-format.js";
import { isRecordFile, recordFileFormatOf } from "./formats/files/table.js";
import { listFiles } from "./list-files.js";
import { rememberOrigin } from "./origin.js";
import type { RecordOptions } from "./types.js";

/** Turns a stored value into records; throws `RecordProblem` with the reason when it is malformed. */
export type RecordParser<T> = (value: unknown, where: { file: string; line: number }) => T[];

/** The files with records of paths and folders, in order. */
export async function listRecordFiles(paths: string | readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of typeof paths === "string" ? [paths] : paths) {
    files.push(...(await listFiles(path, isRecordFile)));
  }
  return files;
}

/** Every record of several files or folders of them, in order. */
export async function* readRecords<T>(
  paths: string | readonly string[],
  parse: RecordParser<T>,
  options: RecordOptions = {},
): AsyncGenerator<T> {
  const policy = createBadRecordPolicy(options);
  for (const file of await listRecordFiles(paths)) {
    yield* readRecordFile(recordFileFormatOf(file), { file, parse, policy }, options.signal);
  }
}

/** Every record of one file; malformed ones go to the policy. */
export async function* readRecordFile<T>(
  format: RecordFileFormat,
  { file, parse, policy }: { file: string; parse: RecordParser<T>; policy: BadRecordPolicy },
  signal?: AbortSignal,
): AsyncGenerator<T> {
  for await (const stored of format.readRecords(file, signal)) {
    const where = { file, line: stored.place };
    let records: T[] = [];
    try {
      if ("problem" in stored) throw new RecordProblem(stored.problem);
      records = parse(stored.value, where);
    } catch (thrown) {
      if (!(thrown instanceof RecordProblem)) throw thrown;
      policy.reject(file, stored.place, thrown.message);
    }
    for (const record of records) {
      rememberOrigin(record, where);
      yield record;
    }
  }
}
