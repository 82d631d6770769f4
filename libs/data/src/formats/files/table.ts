import { basename } from "node:path";
import { holdsRecords, type FileFormat, type RecordFileFormat } from "./file-format.js";
import { jsonlFiles } from "./jsonl.js";
import { textFiles } from "./text.js";

/** Every kind of file; what has no known name is read as text. */
export const FILE_FORMATS: readonly FileFormat[] = [textFiles, jsonlFiles];

const COMPRESSIONS = [".gz"];

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
  return knownFormatOf(name) !== undefined;
}

/** Whether a file in a folder holds records. */
export function isRecordFile(name: string): boolean {
  const format = knownFormatOf(name);
  return format !== undefined && holdsRecords(format);
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

function withoutCompression(name: string): string {
  const ending = COMPRESSIONS.find((end) => name.endsWith(end));
  return ending ? name.slice(0, -ending.length) : name;
}
