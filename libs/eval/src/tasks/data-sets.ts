import { basename, dirname, join, relative, sep } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import { stemOf } from "@stagecraft/data";

/** Files that hold one split of one data set, as a folder and the names of its files tell sets apart. */
export interface DataSet {
  /**
   * What tells the set apart below the folder: its own folder, such as "ARC-Easy", and what stands in the
   * names of its files beside the split and the number of the part; "" for the only one.
   */
  readonly name: string;
  /** Ends of the files' names, such as ".parquet": the same set may be stored twice. */
  readonly ending: string;
  readonly files: readonly string[];
}

/** The sets of files below a folder whose names hold the split. */
export function dataSetsOf(
  files: readonly string[],
  { root, split }: { root: string; split: string },
): DataSet[] {
  const word = new RegExp(`(?<![a-z])${split}(?![a-z])`, "i");
  const sets = new Map<string, DataSet & { files: string[] }>();
  for (const file of files.filter((each) => word.test(basename(each)))) {
    const stem = stemOf(file);
    const ending = basename(file).slice(stem.length);
    const words = stem.replace(word, "").replace(/\d+-of-\d+/, "");
    const own = words.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "");
    const path = join(relative(root, dirname(file)), own)
      .split(sep)
      .join("/");
    const name = path === "." ? "" : path;
    const key = JSON.stringify([name, ending]);
    if (!sets.has(key)) sets.set(key, { name, ending, files: [] });
    sets.get(key)!.files.push(file);
  }
  return [...sets.values()];
}

/**
 * The set that is meant: the one that is called as the task is, the one with all in it, as the hub's MMLU
 * has it, or the only one; of a benchmark that comes in parts all of them. Otherwise throws
 * `invalid_argument` with a list.
 */
export function chosenSets(
  sets: readonly DataSet[],
  { task, inParts, told }: { task: string; inParts: boolean; told: (shown: string) => string },
): readonly DataSet[] {
  const meant = [task, "all"].reduce((left, wanted) => {
    const called = left.filter(({ name }) => isCalled(name, wanted));
    return called.length > 0 ? called : left;
  }, sets);
  const isStoredOnce = new Set(meant.map(({ name }) => name)).size === meant.length;
  if (meant.length <= 1 || (inParts && isStoredOnce)) return meant;
  const shown = meant.slice(0, MAX_SHOWN).map(({ files }) => files[0]!);
  const more = meant.length > shown.length ? `, and ${meant.length - shown.length} more` : "";
  throw new StagecraftError(
    "invalid_argument",
    told(`${meant.length} data sets: ${shown.join(", ")}${more}`),
    { details: { field: "tasks" } },
  );
}

const MAX_SHOWN = 8;

/** Whether a folder or the file of a set has that name. */
export function isCalled(set: string, wanted: string): boolean {
  return set.split("/").some((part) => plain(part) === plain(wanted));
}

/** Names are the same whatever their case and the signs between their words. */
const plain = (name: string) => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
