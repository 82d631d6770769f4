import { StagecraftError } from "@stagecraft/core";
import type { RecordFileFormat, StoredRecord } from "./file-format.js";
import { readTextChunks } from "./text-stream.js";

const MAX_RECORD_CHARS = 1 << 28;

/** One JSON list of records, or records one after the other; read without holding the whole list. */
export const jsonFiles: RecordFileFormat = {
  name: "json",
  endings: [".json"],
  unit: "record",

  async *readRecords(file, signal) {
    const splitter = new JsonSplitter(file);
    let place = 0;
    for await (const chunk of readTextChunks(file, signal)) {
      for (const text of splitter.push(chunk)) yield parseRecord(text, ++place);
    }
    for (const text of splitter.finish()) yield parseRecord(text, ++place);
  },
};

function parseRecord(text: string, place: number): StoredRecord {
  try {
    return { place, value: JSON.parse(text) as unknown };
  } catch {
    return { place, problem: "not valid JSON" }; // without its message, which quotes the file
  }
}

const SPACES = new Set([0x20, 0x09, 0x0a, 0x0d]);
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Cuts a text into its records by brackets, quotes and commas alone. */
class JsonSplitter {
  private rest = "";
  /** Where the next character to look at stands in `rest`. */
  private at = 0;
  private depth = 0;
  private inString = false;
  /** Depth of the records: 1 inside of a list, 0 one after the other; unknown before the first sign. */
  private base: 0 | 1 | undefined;
  private ended = false;

  constructor(private readonly file: string) {}

  push(chunk: string): string[] {
    this.rest += chunk;
    if (this.rest.length > MAX_RECORD_CHARS) {
      this.fail(`holds a record of more than ${MAX_RECORD_CHARS} characters`);
    }
    const found: string[] = [];
    let start = 0;
    const take = (end: number) => {
      const text = this.rest.slice(start, end).trim();
      if (text !== "") found.push(text);
      start = end;
    };
    for (; this.at < this.rest.length; this.at++) {
      const code = this.rest.charCodeAt(this.at);
      if (this.ended && !SPACES.has(code)) this.fail("goes on after its list of records");
      if (this.inString) {
        if (code === BACKSLASH) this.at++;
        else if (code === QUOTE) this.inString = false;
        continue;
      }
      if (code === QUOTE) this.inString = true;
      else if (code === OPEN_LIST || code === OPEN_OBJECT) {
        if (this.base === undefined) {
          this.base = code === OPEN_LIST ? 1 : 0;
          if (this.base === 1) start = this.at + 1;
        }
        this.depth++;
      } else if (code === CLOSE_LIST || code === CLOSE_OBJECT) {
        this.depth--;
        if (this.depth < 0) this.fail("has a closing bracket too many");
        if (this.depth === 0 && this.base === 0) take(this.at + 1);
        if (this.depth === 0 && this.base === 1) {
          take(this.at);
          start = this.at + 1;
          this.ended = true;
        }
      } else if (code === COMMA && this.depth === this.base) {
        take(this.at);
        start = this.at + 1;
      }
    }
    this.rest = this.rest.slice(start);
    this.at -= start;
    return found;
  }

  finish(): string[] {
    if (this.depth > 0 || this.inString) this.fail("ends inside of a record; copy it again");
    const text = this.rest.trim();
    return text === "" ? [] : [text];
  }

  private fail(what: string): never {
    throw new StagecraftError("invalid_argument", `${this.file}: the file ${what}`, {
      details: { file: this.file },
    });
  }
}
