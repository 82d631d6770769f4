import { createHash } from "node:crypto";
import { throwIfAborted } from "@stagecraft/core";
import type { CorpusSource } from "../documents.js";
import { listFiles } from "../list-files.js";
import { readByteChunks } from "../formats/files/text-stream.js";
import { fileFormatOf } from "../formats/files/table.js";
import { CACHE_FORMAT } from "./manifest.js";

export interface HashedSource {
  source: CorpusSource;
  files: string[];
  hashes: string[];
}

/** Lists and hashes the files of every source (sha256 of their text before compression). */
export async function hashSources(
  sources: readonly CorpusSource[],
  signal: AbortSignal | undefined,
): Promise<HashedSource[]> {
  const hashed: HashedSource[] = [];
  for (const source of sources) {
    const files = await listFiles(source.path);
    const hashes: string[] = [];
    for (const file of files) {
      const hash = createHash("sha256");
      for await (const chunk of readByteChunks(file)) {
        throwIfAborted(signal);
        hash.update(chunk);
      }
      hashes.push(hash.digest("hex"));
    }
    hashed.push({ source, files, hashes });
  }
  return hashed;
}

/**
 * Names a cache by everything its content depends on: texts, how they are read, tokenizer, split.
 * Paths and weights are not part of it.
 */
export function corpusKey(
  sources: readonly HashedSource[],
  settings: Readonly<Record<string, string | number>>,
): string {
  const readings = sources.map(({ source, files, hashes }) => ({
    formats: files.map((file) => fileFormatOf(file).name),
    hashes,
    textField: source.textField ?? "text",
    separator: source.separator ?? "",
  }));
  const text = JSON.stringify({ format: CACHE_FORMAT, readings, settings });
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
