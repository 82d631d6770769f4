/** What people count in a file: lines, rows of a table, records of a list. */
export type PlaceUnit = "line" | "row" | "record";

/** A record where it is stored: its value, or why it has none. Places count from 1. */
export type StoredRecord = { place: number } & ({ value: unknown } | { problem: string });

/** A piece of text, and whether its document ends with it. */
export interface Piece {
  text: string;
  ends: boolean;
}

export interface ReadTextOptions {
  /** What stands between documents; none: the file is one. */
  separator?: string | undefined;
  signal?: AbortSignal | undefined;
}

interface FileFormatNames {
  /** Such as "jsonl". */
  readonly name: string;
  /** Ends of file names, such as ".jsonl"; those of compression come after. */
  readonly endings: readonly string[];
}

/** A kind of file that holds records. */
export interface RecordFileFormat extends FileFormatNames {
  /** What `place` counts. */
  readonly unit: PlaceUnit;
  /** Every record in order, streamed. */
  readRecords(file: string, signal?: AbortSignal): AsyncGenerator<StoredRecord>;
}

/** A kind of file that is text and nothing else. */
export interface TextFileFormat extends FileFormatNames {
  /** The text in pieces that never cut a character, a separator or a line end. */
  readText(file: string, options: ReadTextOptions): AsyncGenerator<Piece>;
}

/** How one kind of file is read; the kind is known by the file's name. */
export type FileFormat = RecordFileFormat | TextFileFormat;

/** Whether files of this kind hold records. */
export function holdsRecords(format: FileFormat): format is RecordFileFormat {
  return "readRecords" in format;
}
