import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import { isDataFile, isRecordFile, knownEndings } from "./formats/files/table.js";
import { hasPattern, matcherOf, rootOf } from "./glob.js";

/**
 * The files of a path: itself, for a folder all data files under it, for a pattern (`*`, `**`, `?`) all
 * that it matches; in the order of their paths by code unit. In folders, names that start with a dot are
 * skipped, and README.md beside tables, where it is the note of a data set. A file that is named
 * directly may have any name.
 * @throws `not_found` when nothing is there, `invalid_argument` for a folder without such files
 */
export async function listFiles(
  path: string,
  isWanted: (name: string) => boolean = isDataFile,
): Promise<string[]> {
  const kind = await kindOf(path);
  if (kind === "file") return [path];
  if (kind === "folder") return filesIn(path, isWanted);
  if (hasPattern(path)) return matches(path);
  throw new StagecraftError("not_found", `there is no file or folder ${path}`, {
    details: { path },
  });
}

async function kindOf(path: string): Promise<"file" | "folder" | undefined> {
  try {
    return (await stat(path)).isDirectory() ? "folder" : "file";
  } catch (cause) {
    const error = StagecraftError.from(cause);
    if (error.code === "not_found") return undefined;
    const reason = `cannot read ${path}: ${error.reason}`;
    throw new StagecraftError(error.code, reason, { cause, details: { path } });
  }
}

async function filesIn(path: string, isWanted: (name: string) => boolean): Promise<string[]> {
  const found = (await walk(path, isWanted)).sort();
  const files = found.some(isTable)
    ? found.filter((file) => !/(^|\/)README\.md$/.test(file))
    : found;
  if (files.length > 0) return files;
  throw new StagecraftError(
    "invalid_argument",
    `the folder ${path} holds no file of data (${knownEndings()}, also with .gz or .zst)`,
    { details: { path } },
  );
}

const isTable = (file: string) =>
  isRecordFile(file) && !/\.(jsonl|ndjson)(\.gz|\.zst)?$/.test(file);

async function matches(pattern: string): Promise<string[]> {
  const fits = matcherOf(pattern);
  const root = rootOf(pattern);
  const found = (await kindOf(root)) === "folder" ? await walk(root, () => true) : [];
  const files = found.filter(fits).sort();
  if (files.length > 0) return files;
  throw new StagecraftError("not_found", `no file fits the pattern ${pattern}`, {
    details: { path: pattern },
  });
}

async function walk(dir: string, isWanted: (name: string) => boolean): Promise<string[]> {
  const files: string[] = [];
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    if (entry.name.startsWith(".")) continue;
    const path = join(dir, entry.name);
    const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && (await isDirectory(path)));
    if (isFolder && entry.isDirectory()) files.push(...(await walk(path, isWanted)));
    else if (!isFolder && isWanted(entry.name)) files.push(path);
  }
  return files;
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isDirectory(),
    () => true, // a dangling link is skipped like a linked folder
  );
}
