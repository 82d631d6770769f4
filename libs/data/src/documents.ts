import { lastSafeCut } from "@stagecraft/tokenizer";
import { createBadRecordPolicy, RecordProblem, type BadRecordPolicy } from "./bad-records.js";
import { fieldsOf, objectOf, stringField } from "./fields.js";
import { readJsonlFile } from "./jsonl.js";
import { listFiles } from "./list-files.js";
import { readTextChunks } from "./text-stream.js";
import type { RecordOptions } from "./types.js";

/** Where text comes from. */
export interface CorpusSource {
  /** A .txt, .md or .jsonl file (also .gz), or a folder of them. */
  path: string;
  /** How often the source is seen in an epoch: 1 = once, 2 = twice, 0.5 = a random half. Default 1. */
  weight?: number;
  /** In .jsonl: the field that holds the text. Default "text". */
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

/** Longer documents are handed over in parts, so that a book does not have to fit in memory. */
const PART_CHARS = 1 << 20;

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
      for await (const part of partsOf(file, source, policy, options.signal)) {
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

type Part = Pick<DocumentPart, "text" | "first" | "last">;

function partsOf(
  file: string,
  source: CorpusSource,
  policy: BadRecordPolicy,
  signal: AbortSignal | undefined,
): AsyncGenerator<Part> {
  if (!/\.jsonl(\.gz)?$/.test(file)) {
    const separator = source.separator?.replaceAll("\r\n", "\n");
    return joinParts(splitText(withLineFeeds(readTextChunks(file, signal)), separator));
  }
  const field = source.textField ?? "text";
  const texts = readJsonlFile(file, (value) => [textOf(value, field)], policy, signal);
  return joinParts(asDocuments(texts));
}

function textOf(value: unknown, field: string): string {
  if (typeof value === "string") return value;
  const fields = objectOf(value);
  if (fields[field] !== undefined) return stringField(fields, field);
  const reason = `there is no field "${field}" with the text (choose one with textField)`;
  throw new RecordProblem(`${reason}; ${fieldsOf(fields)}`);
}

/** A piece of text and whether its document ends with it. */
interface Piece {
  text: string;
  ends: boolean;
}

async function* asDocuments(texts: AsyncIterable<string>): AsyncGenerator<Piece> {
  for await (const text of texts) yield { text, ends: true };
}

/** CRLF is a line end like any other: each becomes a line feed, wherever the chunks end. */
async function* withLineFeeds(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let held = "";
  for await (const chunk of chunks) {
    const text = held + chunk;
    held = text.endsWith("\r") ? "\r" : "";
    yield text.slice(0, text.length - held.length).replaceAll("\r\n", "\n");
  }
  yield held;
}

async function* splitText(
  chunks: AsyncIterable<string>,
  separator: string | undefined,
): AsyncGenerator<Piece> {
  let rest = "";
  for await (const chunk of chunks) {
    rest += chunk;
    if (separator) {
      const documents = rest.split(separator);
      rest = documents.pop()!;
      for (const text of documents) yield { text, ends: true };
    }
    if (rest.length < PART_CHARS) continue;
    // What follows the cut may still hold the start of a separator.
    const cut = lastSafeCut(rest.slice(0, rest.length - (separator?.length ?? 0)));
    yield { text: rest.slice(0, cut), ends: false };
    rest = rest.slice(cut);
  }
  yield { text: rest, ends: true };
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
