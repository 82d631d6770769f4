import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { JsonObject } from "@stagecraft/core";
import type { ModelIdentity } from "./weights-hash.js";

/** In every model directory that a stage wrote: where the model comes from. */
export const LINEAGE_FILE = "lineage.json";
/** The same for people, as Hugging Face's hub shows it. */
export const CARD_FILE = "README.md";
/** What stands where nobody knows. */
export const UNKNOWN = "unknown";

/** A model that another one was made from. */
export interface Parent {
  /** The field of the stage's configuration that names it. */
  field: string;
  /** As the configuration names it; `sha256` finds it wherever it has gone since. */
  path: string;
  /** Of its weights; "unknown" where they could not be read. */
  sha256: string;
  /** The stage that made it; "unknown" for a model made elsewhere. */
  stage: string;
  /** Why nobody knows where it comes from. */
  note?: string;
}

/** A file that was learnt from. */
export interface DataFile {
  field: string;
  /** Of a folder with very many files: the folder, and one hash of all. */
  path: string;
  sha256: string;
  numFiles?: number;
  sizeBytes: number;
  /** Of text files. */
  numLines?: number;
}

/** A parent's parent, and so on: enough to find it, and what it learnt from. */
export interface Ancestor {
  sha256: string;
  stage: string;
  parents: { field: string; sha256: string }[];
  /** By field: how many files, and one hash of theirs. */
  data: { field: string; numFiles: number; sha256: string }[];
}

/**
 * lineage.json. Equal runs write equal ones but for `times`. It says of which weights it speaks, so a
 * copy is as good as the original and a mix-up shows.
 */
export interface Lineage {
  formatVersion: 1;
  model: ModelIdentity;
  stage: string;
  seed: number | null;
  config: JsonObject;
  parents: Parent[];
  data: DataFile[];
  /** The run's final figures: held-out loss, accuracy, score, KL, …; what measures speed is in `times`. */
  figures: Record<string, number>;
  versions: Record<string, string>;
  /** Of Stagecraft's sources, "+ changes" when they differ from it; "unknown" for an installed package. */
  commit: string;
  /** Nearest first, each once. */
  ancestors: Ancestor[];
  /** Ancestors beyond those that are listed. */
  numAncestorsLeftOut: number;
  times: { startedAt: string; finishedAt: string } & Record<string, string | number>;
}

/** The lineage, or why nobody knows it, as a sentence's end. */
export type LineageFound =
  | { lineage: Lineage; isOfOthers?: false }
  | {
      lineage?: undefined;
      reason: string;
      /** There is one, of other weights. */ isOfOthers: boolean;
    };

/** Reads what a model directory says of its origin; it must speak of these weights. */
export async function readLineage(directory: string, sha256: string): Promise<LineageFound> {
  const reading = readFile(join(directory, LINEAGE_FILE), "utf8");
  return lineageIn(await reading.catch(() => undefined), sha256);
}

/** What the text of a lineage.json says, undefined where there is none; it must speak of these weights. */
export function lineageIn(text: string | undefined, sha256: string): LineageFound {
  if (text === undefined) {
    return {
      reason: `it has no ${LINEAGE_FILE}: made elsewhere, or by an older version`,
      isOfOthers: false,
    };
  }
  const lineage = parsed(text);
  if (!lineage) return { reason: `its ${LINEAGE_FILE} cannot be read`, isOfOthers: false };
  if (lineage.model.sha256 === sha256) return { lineage };
  return { reason: `its ${LINEAGE_FILE} speaks of other weights`, isOfOthers: true };
}

function parsed(text: string): Lineage | undefined {
  try {
    const found = JSON.parse(text) as Partial<Lineage> | null;
    const isWhole =
      found?.formatVersion === 1 &&
      typeof found.model?.sha256 === "string" &&
      typeof found.stage === "string" &&
      [found.parents, found.data, found.ancestors].every(Array.isArray);
    return isWhole ? (found as Lineage) : undefined;
  } catch {
    return undefined;
  }
}
