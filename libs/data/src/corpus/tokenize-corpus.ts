import { throwIfAborted } from "@stagecraft/core";
import type { Tokenizer } from "@stagecraft/tokenizer";
import { readDocuments, type CorpusSource, type DocumentPart } from "../documents.js";
import type { BadRecord } from "../types.js";
import type { CorpusManifest, SplitName } from "./manifest.js";
import { countChars, createTailSplitter, isHeldOut } from "./split.js";
import { TokenWriter } from "./token-writer.js";

export interface TokenizeOptions {
  tokenizer: Tokenizer;
  dir: string;
  dtype: CorpusManifest["dtype"];
  split: CorpusManifest["split"];
  validationFraction: number;
  shardTokens: number;
  maxBadRecords: number;
  onBadRecord?: ((record: BadRecord) => void) | undefined;
  onText?: (numChars: number) => void;
  signal?: AbortSignal | undefined;
}

export type TokenizedSource = CorpusManifest["sources"][number]["splits"];

/** Writes the tokens of one source into the directory, split in training and validation. */
export async function tokenizeSource(
  source: CorpusSource,
  name: string,
  options: TokenizeOptions,
): Promise<TokenizedSource> {
  const writer = (split: SplitName) => new TokenWriter({ ...options, name: `${name}.${split}` });
  const writers = { train: writer("train"), validation: writer("validation") };
  try {
    const route = await createRouter(source, options);
    for await (const part of readDocuments([source], readOptions(options))) {
      throwIfAborted(options.signal);
      for (const piece of route(part)) await writePiece(writers[piece.split], piece, options);
      options.onText?.(part.text.length);
    }
    return { train: await writers.train.finish(), validation: await writers.validation.finish() };
  } catch (thrown) {
    await Promise.all([writers.train.abandon(), writers.validation.abandon()]);
    throw thrown;
  }
}

/** A stretch of a document inside one split. */
interface Piece {
  split: SplitName;
  text: string;
  /** The document begins here, and so gets its `<|bos|>`. */
  opens: boolean;
  /** Attention must not reach back before this stretch. */
  starts: boolean;
  /** The document ends here, and so gets its `<|end|>`. */
  closes: boolean;
}

type Router = (part: DocumentPart) => Piece[];

async function createRouter(source: CorpusSource, options: TokenizeOptions): Promise<Router> {
  const { validationFraction } = options;
  if (options.split === "documents" || validationFraction === 0) {
    let split: SplitName = "train";
    return ({ text, first, last }) => {
      if (first) split = isHeldOut(text, validationFraction) ? "validation" : "train";
      return [{ split, text, opens: first, starts: first, closes: last }];
    };
  }
  let numChars = 0;
  const quiet = { ...readOptions(options), onBadRecord: () => undefined };
  for await (const part of readDocuments([source], quiet)) numChars += countChars(part.text);
  const cut = createTailSplitter(Math.floor(numChars * (1 - validationFraction)));
  return ({ text, first, last }) =>
    cut(text).map(({ split, text: piece }, i, all) => ({
      split,
      text: piece,
      opens: first && i === 0,
      starts: first || i > 0,
      closes: last && i === all.length - 1,
    }));
}

async function writePiece(
  writer: TokenWriter,
  { text, opens, starts, closes }: Piece,
  { tokenizer }: TokenizeOptions,
): Promise<void> {
  const { bos, eos } = documentMarks(tokenizer);
  if (starts) writer.startDocument();
  if (opens && bos !== undefined) await writer.write([bos]);
  await writer.write(tokenizer.encode(text));
  if (closes && eos !== undefined) await writer.write([eos]);
  writer.numBytes += Buffer.byteLength(text);
  writer.numChars += countChars(text);
}

/**
 * What stands before and after a document. A foreign tokenizer with one token for both (GPT-2's
 * `<|endoftext|>`) gets it at the end only.
 */
export function documentMarks({ specials: { bos, eos } }: Tokenizer) {
  return { bos: bos === eos ? undefined : bos, eos };
}

function readOptions({ maxBadRecords, onBadRecord, signal }: TokenizeOptions) {
  return {
    maxBadRecords,
    ...(onBadRecord ? { onBadRecord } : {}),
    ...(signal ? { signal } : {}),
  };
}
