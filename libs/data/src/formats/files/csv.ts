import { StagecraftError } from "@stagecraft/core";
import type { RecordFileFormat, StoredRecord } from "./file-format.js";
import { readTextChunks } from "./text-stream.js";

/** Comma-separated values with a header line; every value is a text. */
export const csvFiles = tableFiles("csv", ".csv", ",");
/** The same with tabs. */
export const tsvFiles = tableFiles("tsv", ".tsv", "\t");

const MAX_ROW_CHARS = 1 << 28;

function tableFiles(name: string, ending: string, delimiter: string): RecordFileFormat {
  return {
    name,
    endings: [ending],
    unit: "line",
    async *readRecords(file, signal) {
      let header: string[] | undefined;
      for await (const row of rowsOf(file, delimiter, signal)) {
        if (header) yield recordOf(row, header);
        else header = checkedHeader(file, row.values);
      }
    },
  };
}

interface Row {
  /** The line it starts on. */
  line: number;
  values: string[];
}

async function* rowsOf(
  file: string,
  delimiter: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Row> {
  const parser = new RowParser(file, delimiter);
  for await (const chunk of readTextChunks(file, signal)) yield* parser.push(chunk);
  yield* parser.finish();
}

function checkedHeader(file: string, header: string[]): string[] {
  const twice = header.find((name, i) => header.indexOf(name) !== i);
  if (twice === undefined) return header;
  const reason = `${file}:1: the header names two columns alike; every column needs a name of its own`;
  throw new StagecraftError("invalid_argument", reason, { details: { file, line: 1 } });
}

function recordOf({ line, values }: Row, header: readonly string[]): StoredRecord {
  if (values.length !== header.length) {
    return {
      place: line,
      problem: `the row has ${values.length} values, the header ${header.length}`,
    };
  }
  return { place: line, value: Object.fromEntries(header.map((name, i) => [name, values[i]])) };
}

/** RFC 4180, piece by piece: a quoted value may hold delimiters, line ends and doubled quotes. */
class RowParser {
  private value = "";
  private values: string[] = [];
  private state: "start" | "plain" | "quoted" | "after quote" = "start";
  private line = 1;
  private rowLine = 1;

  constructor(
    private readonly file: string,
    private readonly delimiter: string,
  ) {}

  *push(chunk: string): Generator<Row> {
    for (const char of chunk) {
      if (char === "\n") this.line++;
      if (this.state === "quoted") {
        if (char === '"') this.state = "after quote";
        else this.value += char;
      } else if (char === "\n") {
        yield* this.endRow();
      } else if (char === this.delimiter) {
        this.endValue();
      } else if (char === '"' && this.state === "start") {
        this.state = "quoted";
      } else if (char === '"' && this.state === "after quote") {
        this.value += char;
        this.state = "quoted";
      } else {
        this.value += char;
        this.state = "plain";
      }
      if (this.value.length > MAX_ROW_CHARS) this.fail("a value without an end");
    }
  }

  *finish(): Generator<Row> {
    if (this.state === "quoted") this.fail("a quoted value that does not end");
    yield* this.endRow();
  }

  private endValue(): void {
    this.values.push(this.value);
    this.value = "";
    this.state = "start";
  }

  private *endRow(): Generator<Row> {
    const line = this.rowLine;
    this.rowLine = this.line;
    if (this.state === "plain" && this.value.endsWith("\r")) this.value = this.value.slice(0, -1);
    const isBlank = this.values.length === 0 && this.value === "";
    this.endValue();
    const values = this.values;
    this.values = [];
    if (!isBlank) yield { line, values };
  }

  private fail(what: string): never {
    const reason = `${this.file}:${this.rowLine}: the row holds ${what}; is a quote missing?`;
    throw new StagecraftError("invalid_argument", reason, {
      details: { file: this.file, line: this.rowLine },
    });
  }
}
