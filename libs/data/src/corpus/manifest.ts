import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";

/** Raised when the layout of a cache directory changes; older caches are made anew. */
export const CACHE_FORMAT = 3;
export const MANIFEST_FILE = "manifest.json";

export type SplitName = "train" | "validation";

/** Token ids of one source in one split, in files of 16- or 32-bit little-endian integers. */
export interface StreamManifest {
  shards: { file: string; numTokens: number }[];
  /** Float64 little-endian: where each document starts, in tokens. */
  documentsFile: string;
  numDocuments: number;
  numTokens: number;
  /** UTF-8 bytes and characters of the text behind the tokens. */
  numBytes: number;
  numChars: number;
}

/** What a cache directory holds; written last, so that a directory with one is whole. */
export interface CorpusManifest {
  format: number;
  key: string;
  tokenizer: string;
  vocabSize: number;
  dtype: "uint16" | "uint32";
  split: "documents" | "tail";
  validationFraction: number;
  numBadRecords: number;
  sources: { path: string; files: string[]; splits: Record<SplitName, StreamManifest> }[];
}

/** The manifest of a whole cache: right format and key, and every file there with its size. */
export async function readManifest(dir: string, key: string): Promise<CorpusManifest | undefined> {
  try {
    const text = await readFile(join(dir, MANIFEST_FILE), "utf8");
    const manifest = JSON.parse(text) as CorpusManifest;
    if (manifest.format !== CACHE_FORMAT || manifest.key !== key) return undefined;
    for (const { file, numBytes } of expectedFiles(manifest)) {
      if ((await stat(join(dir, file))).size !== numBytes) return undefined;
    }
    return manifest;
  } catch {
    return undefined; // not there, or not readable as a manifest: made anew
  }
}

function expectedFiles(manifest: CorpusManifest): { file: string; numBytes: number }[] {
  const tokenBytes = manifest.dtype === "uint16" ? 2 : 4;
  return manifest.sources
    .flatMap(({ splits }) => [splits.train, splits.validation])
    .flatMap((stream) => [
      ...stream.shards.map(({ file, numTokens }) => ({ file, numBytes: numTokens * tokenBytes })),
      { file: stream.documentsFile, numBytes: stream.numDocuments * 8 },
    ]);
}
