import { StagecraftError } from "@stagecraft/core";
import { createBadRecordPolicy, RecordProblem, type BadRecordPolicy } from "./bad-records.js";
import { listFiles } from "./list-files.js";
import { rememberOrigin } from "./origin.js";
import { readTextChunks } from "./text-stream.js";
import type { RecordOptions } from "./types.js";

const MAX_LINE_CHARS = 1 << 28;

export interface Line {
  /** From 1. */
  number: number;
  text: string;
}

/** The lines of a text file, without their ends. */
export async function* readLines(file: string, signal?: AbortSignal): AsyncGenerator<Line> {
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

/** Turns a parsed line into records; throws `RecordProblem` with the reason when it is malformed. */
export type RecordParser<T> = (value: unknown, where: { file: string; line: number }) => T[];

/** Every record of one JSONL file; blank lines are skipped, malformed ones go to the policy. */
export async function* readJsonlFile<T>(
  file: string,
  parse: RecordParser<T>,
  policy: BadRecordPolicy,
  signal?: AbortSignal,
): AsyncGenerator<T> {
  for await (const { number, text } of readLines(file, signal)) {
    if (text.trim() === "") continue;
    let records: T[] = [];
    try {
      records = parse(parseLine(text), { file, line: number });
    } catch (thrown) {
      if (!(thrown instanceof RecordProblem)) throw thrown;
      policy.reject(file, number, thrown.message);
    }
    for (const record of records) {
      rememberOrigin(record, { file, line: number });
      yield record;
    }
  }
}

/** The JSONL files of paths and folders, in order. */
export async function listRecordFiles(paths: string | readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of typeof paths === "string" ? [paths] : paths) {
    files.push(...(await listFiles(path, /\.jsonl(\.gz)?$/)));
  }
  return files;
}

/** Every record of several JSONL files or folders of them, in order. */
export async function* readRecords<T>(
  paths: string | readonly string[],
  parse: RecordParser<T>,
  options: RecordOptions = {},
): AsyncGenerator<T> {
  const policy = createBadRecordPolicy(options);
  for (const file of await listRecordFiles(paths)) {
    yield* readJsonlFile(file, parse, policy, options.signal);
  }
}

/** The parsed lines of JSONL files, whatever they hold. */
export function readJsonl(
  paths: string | readonly string[],
  options: RecordOptions = {},
): AsyncGenerator<unknown> {
  return readRecords(paths, (value) => [value], options);
}

function parseLine(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // Its own message quotes the line, and not everybody who hears of it may read the file.
    throw new RecordProblem("not valid JSON", { cause });
  }
}
