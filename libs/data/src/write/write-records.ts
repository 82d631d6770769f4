import { StagecraftError } from "@stagecraft/core";
import { writeJsonl } from "./write-jsonl.js";
import { writeParquet } from "./write-parquet.js";

/** The files that `writeRecords` makes. */
export const WRITTEN_FORMATS = ["jsonl", "parquet"] as const;

export type WrittenFormat = (typeof WRITTEN_FORMATS)[number];

/**
 * Writes records so that the file is either the old one or whole; creates the directory. Streams.
 * Returns how many. The format is, unless it is given, that of the file's name.
 * @throws `invalid_argument` for a name without a known ending, and for records that no table holds
 */
export function writeRecords(
  file: string,
  records: Iterable<object> | AsyncIterable<object>,
  format: WrittenFormat = formatByName(file),
): Promise<number> {
  return format === "parquet" ? writeParquet(file, records) : writeJsonl(file, records);
}

function formatByName(file: string): WrittenFormat {
  const format = WRITTEN_FORMATS.find((name) => file.endsWith(`.${name}`));
  if (format) return format;
  throw new StagecraftError("invalid_argument", `${file} must end in .jsonl or .parquet`);
}
