import { StagecraftError } from "@stagecraft/core";
import type { RecordFileFormat, StoredRecord } from "./file-format.js";
import { readTextChunks } from "./text-stream.js";

const MAX_LINE_CHARS = 1 << 28;

export interface Line {
  /** From 1. */
  number: number;
  text: string;
}

/** One JSON value a line; blank lines are none. */
export const jsonlFiles: RecordFileFormat = {
  name: "jsonl",
  endings: [".jsonl", ".ndjson"],
  unit: "line",

  async *readRecords(file, signal) {
    for await (const { number, text } of readLines(file, signal)) {
      if (text.trim() !== "") yield parseLine(text, number);
    }
  },
};

/** The lines of a text file, without their ends. */
async function* readLines(file: string, signal?: AbortSignal): AsyncGenerator<Line> {
  let rest = "";
  let number = 1;
  for await (const chunk of readTextChunks(file, signal)) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const text of lines) yield { number: number++, text: text.replace(/\r$/, "") };
    if (rest.length > MAX_LINE_CHARS) {
      throw new StagecraftError(
        "invalid_argument",
        `${file}:${number}: the line is longer than ${MAX_LINE_CHARS} characters; ` +
          `a .jsonl file holds one JSON record a line`,
        { details: { file, line: number } },
      );
    }
  }
  if (rest !== "") yield { number, text: rest.replace(/\r$/, "") };
}

function parseLine(text: string, place: number): StoredRecord {
  try {
    return { place, value: JSON.parse(text) as unknown };
  } catch {
    // Its own message quotes the line, and not everybody who hears of it may read the file.
    return { place, problem: "not valid JSON" };
  }
}
