import type { Tokenizer } from "@stagecraft/tokenizer";
import type { CorpusSource } from "../documents.js";
import type { CorpusManifest, SplitName } from "./manifest.js";
import { openTokenStream, type TokenStream } from "./token-stream.js";
import { documentMarks } from "./tokenize-corpus.js";

/** One side of the corpus. */
export interface CorpusSplit {
  /** One for each source, in their order. */
  streams: readonly TokenStream[];
  numTokens: number;
  numDocuments: number;
  /** Of the text, without special tokens. */
  numBytes: number;
  numChars: number;
}

/** A tokenized corpus on disk. */
export interface PreparedCorpus {
  dir: string;
  manifest: CorpusManifest;
  /** True when the shards were there already. */
  reused: boolean;
  train: CorpusSplit;
  validation: CorpusSplit;
  vocabSize: number;
  /** UTF-8 bytes of each token id; 0 for special tokens. */
  byteLengths: Int32Array;
  /** Id that fills rows, and the one that starts documents when it is not also their end. */
  padId: number;
  bosId: number | undefined;
  /** Closes the files; reading opens them again. */
  close(): void;
}

/** Opens the shards that a manifest describes. */
export async function openPreparedCorpus(
  dir: string,
  manifest: CorpusManifest,
  options: { sources: readonly CorpusSource[]; tokenizer: Tokenizer },
  reused: boolean,
): Promise<PreparedCorpus> {
  const { tokenizer } = options;
  const split = (name: SplitName) => openSplit(dir, manifest, name, options.sources);
  const [train, validation] = [await split("train"), await split("validation")];
  return {
    ...{ dir, manifest, reused, train, validation, vocabSize: tokenizer.vocabSize },
    byteLengths: tokenizer.byteLengths,
    padId: tokenizer.specials.pad ?? 0,
    bosId: documentMarks(tokenizer).bos,
    close() {
      for (const stream of [...train.streams, ...validation.streams]) stream.close();
    },
  };
}

async function openSplit(
  dir: string,
  manifest: CorpusManifest,
  name: SplitName,
  sources: readonly CorpusSource[],
): Promise<CorpusSplit> {
  const parts = manifest.sources.map(({ splits }) => splits[name]);
  const sum = (field: "numTokens" | "numDocuments" | "numBytes" | "numChars") =>
    parts.reduce((total, part) => total + part[field], 0);
  const streams = await Promise.all(
    parts.map((part, i) =>
      openTokenStream(dir, part, { dtype: manifest.dtype, weight: sources[i]!.weight ?? 1 }),
    ),
  );
  return {
    streams,
    numTokens: sum("numTokens"),
    numDocuments: sum("numDocuments"),
    numBytes: sum("numBytes"),
    numChars: sum("numChars"),
  };
}
