import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import { isDataFile } from "./formats/files/table.js";

/**
 * The files of a path: itself, or for a folder all .txt, .md and .jsonl files under it (also .gz),
 * in the order of their paths by code unit. Names that start with a dot are skipped. A file that is
 * named directly may have any name.
 * @throws `not_found` when nothing is there, `invalid_argument` for a folder without such files
 */
export async function listFiles(
  path: string,
  isWanted: (name: string) => boolean = isDataFile,
): Promise<string[]> {
  let isDirectory: boolean;
  try {
    isDirectory = (await stat(path)).isDirectory();
  } catch (cause) {
    const error = StagecraftError.from(cause);
    const reason =
      error.code === "not_found"
        ? `there is no file or folder ${path}`
        : `cannot read ${path}: ${error.reason}`;
    throw new StagecraftError(error.code, reason, { cause, details: { path } });
  }
  if (!isDirectory) return [path];
  const files = (await walk(path, isWanted)).sort();
  if (files.length > 0) return files;
  throw new StagecraftError(
    "invalid_argument",
    `the folder ${path} holds no .txt, .md or .jsonl file (nor .gz of them)`,
    { details: { path } },
  );
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
