import { basename } from "node:path";
import { withoutCompression } from "./compression.js";
import { csvFiles, tsvFiles } from "./csv.js";
import { holdsRecords, type FileFormat, type RecordFileFormat } from "./file-format.js";
import { jsonFiles } from "./json.js";
import { jsonlFiles } from "./jsonl.js";
import { parquetFiles } from "./parquet.js";
import { textFiles } from "./text.js";

/** Every kind of file. */
const FILE_FORMATS: readonly FileFormat[] = [
  textFiles,
  jsonlFiles,
  jsonFiles,
  csvFiles,
  tsvFiles,
  parquetFiles,
];

/** What stands beside data in folders of the hub and of `datasets`, and is none. */
const NOTES = /^(dataset_infos?|dataset_dict|state)\.json$/;

/** The format of a file, by its name; a name that says nothing is that of a text. */
export function fileFormatOf(file: string): FileFormat {
  return knownFormatOf(file) ?? textFiles;
}

/** The format in which a file holds records: JSON lines, unless its name says otherwise. */
export function recordFileFormatOf(file: string): RecordFileFormat {
  const format = fileFormatOf(file);
  return holdsRecords(format) ? format : jsonlFiles;
}

/** Whether a file in a folder is data. */
export function isDataFile(name: string): boolean {
  return knownFormatOf(name) !== undefined && !NOTES.test(name);
}

/** Whether a file in a folder holds records. */
export function isRecordFile(name: string): boolean {
  return isDataFile(name) && holdsRecords(fileFormatOf(name));
}

/** Every ending of a name, for messages: ".txt, .md, …". */
export function knownEndings(): string {
  return FILE_FORMATS.flatMap(({ endings }) => endings).join(", ");
}

/** The name of a file without its folder and the endings that say how it is read. */
export function stemOf(file: string): string {
  const name = withoutCompression(basename(file));
  const ending = FILE_FORMATS.flatMap(({ endings }) => endings).find((end) => name.endsWith(end));
  return ending ? name.slice(0, -ending.length) : name;
}

function knownFormatOf(file: string): FileFormat | undefined {
  const name = withoutCompression(file);
  return FILE_FORMATS.find(({ endings }) => endings.some((ending) => name.endsWith(ending)));
}
