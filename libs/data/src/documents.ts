import { createBadRecordPolicy, RecordProblem, type BadRecordPolicy } from "./bad-records.js";
import { holdsRecords, type Piece } from "./formats/files/file-format.js";
import { fileFormatOf } from "./formats/files/table.js";
import { fieldsOf, objectOf, stringField } from "./formats/records/fields.js";
import { renamed } from "./columns.js";
import { listFiles } from "./list-files.js";
import { readRecordFile } from "./read-records.js";
import type { RecordOptions } from "./types.js";

/** Where text comes from. */
export interface CorpusSource {
  /** A file of text or of records (docs/data.md), a folder of them, or a pattern such as `data/*.txt`. */
  path: string;
  /** How often the source is seen in an epoch: 1 = once, 2 = twice, 0.5 = a random half. Default 1. */
  weight?: number;
  /** In files of records: the field that holds the text. Default "text". */
  textField?: string;
  /**
   * In .txt and .md: what stands between documents, such as "<|endoftext|>", or "\n\n" for
   * paragraphs; CRLF counts as "\n". Default: a file is one document.
   */
  separator?: string;
}

/** How a configuration says where the texts of a corpus are. */
export interface CorpusReading {
  /** Empty = "text". */
  textField: string;
  /** Empty = a file is one document; `\\n`, `\\r` and `\\t` may be written with a backslash. */
  separator: string;
}

const ESCAPES: Record<string, string> = { "\\n": "\n", "\\r": "\r", "\\t": "\t" };

/** A source as it is written in a configuration: `PATH`, or `PATH=WEIGHT`. */
export function corpusSource(
  text: string,
  { textField, separator }: CorpusReading = { textField: "", separator: "" },
): CorpusSource {
  const match = /^(.+)=(\d+(?:\.\d+)?)$/.exec(text);
  return {
    ...(match ? { path: match[1]!, weight: Number(match[2]) } : { path: text }),
    ...(textField !== "" && { textField }),
    ...(separator !== "" && {
      separator: separator.replace(/\\[nrt]/g, (escape) => ESCAPES[escape]!),
    }),
  };
}

/** A document, or a part of a long one. */
export interface DocumentPart {
  /** Index of the source. */
  source: number;
  file: string;
  text: string;
  /** Whether the document starts and ends with this part. */
  first: boolean;
  last: boolean;
}

export interface ReadDocumentsOptions extends RecordOptions {
  /** Called with every file before it is read. */
  onFile?: (file: string) => void;
}

/**
 * The documents of all sources in order, streamed. Documents of white space only are skipped.
 * @throws `not_found`, `invalid_argument` with file, line and byte for what is not text, and for
 * more than `maxBadRecords` malformed records
 */
export async function* readDocuments(
  sources: readonly (CorpusSource | string)[],
  options: ReadDocumentsOptions = {},
): AsyncGenerator<DocumentPart> {
  const policy = createBadRecordPolicy(options);
  for (const [index, item] of sources.entries()) {
    const source = typeof item === "string" ? { path: item } : item;
    for (const file of await listFiles(source.path)) {
      options.onFile?.(file);
      for await (const part of partsOf(file, source, { policy, ...options })) {
        yield { source: index, file, ...part };
      }
    }
  }
}

/** The texts alone, for training a tokenizer. */
export async function* readTexts(
  sources: readonly (CorpusSource | string)[],
  options: ReadDocumentsOptions = {},
): AsyncGenerator<string> {
  for await (const { text } of readDocuments(sources, options)) yield text;
}

type Columns = NonNullable<RecordOptions["columns"]>;
type Part = Pick<DocumentPart, "text" | "first" | "last">;

function partsOf(
  file: string,
  source: CorpusSource,
  { policy, signal, columns = {} }: RecordOptions & { policy: BadRecordPolicy },
): AsyncGenerator<Part> {
  const format = fileFormatOf(file);
  if (!holdsRecords(format)) {
    return joinParts(format.readText(file, { separator: source.separator, signal }));
  }
  const field = source.textField ?? "text";
  const parse = (value: unknown) => [textOf(value, field, columns)];
  return joinParts(asDocuments(readRecordFile(format, { file, parse, policy }, signal)));
}

function textOf(value: unknown, field: string, columns: Columns): string {
  if (typeof value === "string") return value;
  const fields = renamed(objectOf(value), columns);
  if (fields[field] !== undefined) return stringField(fields, field);
  const reason = `there is no field "${field}" with the text (choose one with textField)`;
  throw new RecordProblem(`${reason}; ${fieldsOf(fields)}`);
}

async function* asDocuments(texts: AsyncIterable<string>): AsyncGenerator<Piece> {
  for await (const text of texts) yield { text, ends: true };
}

/** Marks first and last parts, and drops documents without visible text. */
async function* joinParts(pieces: AsyncIterable<Piece>): AsyncGenerator<Part> {
  let held: string | undefined;
  let first = true;
  for await (const { text, ends } of pieces) {
    if (held !== undefined && text !== "") {
      yield { text: held, first, last: false };
      first = false;
      held = undefined;
    }
    held = text === "" ? held : text;
    if (!ends) continue;
    if (held !== undefined && !(first && held.trim() === ""))
      yield { text: held, first, last: true };
    held = undefined;
    first = true;
  }
}
