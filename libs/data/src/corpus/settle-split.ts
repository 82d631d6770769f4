import { readDocuments, type CorpusSource, type ReadDocumentsOptions } from "../documents.js";
import type { CorpusManifest } from "./manifest.js";
import { isHeldOut } from "./split.js";

type Split = CorpusManifest["split"];

/**
 * The split that can be made: "documents" only when it gives each side one, else "tail", with the
 * number of documents. Reads on until both sides have theirs.
 */
export async function settleSplit(
  sources: readonly CorpusSource[],
  { split, validationFraction }: { split: Split; validationFraction: number },
  options: ReadDocumentsOptions,
): Promise<{ split: Split; numDocuments?: number }> {
  if (split === "tail" || validationFraction === 0) return { split };
  const sides = new Set<boolean>();
  let numDocuments = 0;
  for await (const { first, text } of readDocuments(sources, options)) {
    if (!first) continue;
    numDocuments++;
    if (sides.add(isHeldOut(text, validationFraction)).size === 2) return { split };
  }
  return { split: "tail", numDocuments };
}
