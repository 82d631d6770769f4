import { stemOf } from "./formats/files/table.js";
import { listRecordFiles, readKind } from "./read-records.js";
import type { PromptRecord, RecordOptions } from "./types.js";

/**
 * Prompts from files or folders of them, in order, in any format of docs/data.md. A missing id becomes
 * "line-N" ("row-N" in tables), or "FILE:line-N" where several files are read, so that ids differ.
 * @throws `invalid_argument` with file and line when more than `maxBadRecords` are malformed
 */
export async function* readPrompts(
  paths: string | readonly string[],
  options: RecordOptions = {},
): AsyncGenerator<PromptRecord> {
  const files = await listRecordFiles(paths);
  const prefixOf = prefixes(files);
  yield* readKind("prompts", files, {
    ...options,
    idOf: ({ file, line, unit = "line" }) => `${prefixOf(file)}${unit}-${line}`,
  });
}

/** What tells the lines of several files apart: their names, or their paths where names repeat. */
function prefixes(files: readonly string[]): (file: string) => string {
  if (files.length === 1) return () => "";
  const isUnique = new Set(files.map(stemOf)).size === files.length;
  return (file) => `${isUnique ? stemOf(file) : file}:`;
}
