import { basename, dirname, join } from "node:path";
import {
  discard,
  parseTemporaryName,
  syncDirectory,
  temporaryName,
  writeDurably,
  writeFailure,
  type AtomicOptions,
  type FileContent,
} from "./atomic-write.js";
import { StagecraftError } from "@stagecraft/core";
import { nodeFileSystem, type FileSystem } from "./file-system.js";

export interface ReplaceOptions extends AtomicOptions {
  /** Refuse to replace: throws `already_exists` when the directory is there. Default false. */
  exclusive?: boolean;
}

/**
 * Replaces a whole directory by one that holds exactly `files`. The new content is complete and on
 * the disk before the old one moves aside. A crash between the two renames leaves no directory of
 * that name but both contents; `recoverDirectory` then puts the old one back.
 * Errors are those of `atomicWriteFile`.
 */
export async function atomicReplaceDirectory(
  directory: string,
  files: ReadonlyMap<string, FileContent>,
  { fileSystem = nodeFileSystem, guard, exclusive = false }: ReplaceOptions = {},
): Promise<void> {
  const temporary = temporaryName(directory);
  try {
    await fileSystem.mkdir(temporary, { recursive: true });
    for (const [name, content] of files) {
      await writeDurably(join(temporary, name), content, fileSystem);
    }
    await syncDirectory(temporary, fileSystem);
    guard?.();
    if (exclusive) await moveIn(temporary, directory, fileSystem);
    else await swapIn(temporary, directory, fileSystem);
  } catch (thrown) {
    await discard(temporary, fileSystem);
    throw writeFailure(thrown, directory, flatten(files));
  }
}

/**
 * Undoes an interrupted replacement of `directory`: restores the old content when the new one never
 * arrived. Only for the one writer of that directory.
 */
export async function recoverDirectory(
  directory: string,
  { fileSystem = nodeFileSystem }: AtomicOptions = {},
): Promise<void> {
  await sweepWhere(dirname(directory), fileSystem, (target) => target === basename(directory));
}

/**
 * Where a reader finds the content of `directory`: there, or, when a replacement was interrupted
 * between its two renames, where the old content was moved aside. Changes nothing.
 */
export async function locateDirectory(
  directory: string,
  fs: FileSystem = nodeFileSystem,
): Promise<string> {
  const names = await listNames(dirname(directory), fs);
  if (names.includes(basename(directory))) return directory;
  const aside = names.find((name) => {
    const parsed = parseTemporaryName(name);
    return parsed?.role === "old" && parsed.target === basename(directory);
  });
  return aside === undefined ? directory : join(dirname(directory), aside);
}

/**
 * Removes temporaries that a crash left in `directory` and puts back what an interrupted
 * replacement had moved aside. Only for the one writer of that directory; with several, pass
 * `olderThanMs` beyond the longest write.
 */
export async function sweepTemporaries(
  directory: string,
  { fileSystem = nodeFileSystem, olderThanMs = 0 }: AtomicOptions & { olderThanMs?: number } = {},
): Promise<void> {
  await sweepWhere(directory, fileSystem, async (_target, path) => {
    if (olderThanMs === 0) return true;
    const { mtimeMs } = await fileSystem.stat(path);
    return Date.now() - mtimeMs > olderThanMs;
  });
}

/** A rename onto a directory that holds something fails: of two writers one is first. */
async function moveIn(temporary: string, directory: string, fs: FileSystem): Promise<void> {
  try {
    await fs.rename(temporary, directory);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw thrown;
    throw new StagecraftError("already_exists", `${directory} exists`, { cause: thrown });
  }
  await syncDirectory(dirname(directory), fs);
}

async function swapIn(temporary: string, directory: string, fs: FileSystem): Promise<void> {
  const parent = dirname(directory);
  const old = temporaryName(directory, "old");
  const replaced = await rename(directory, old, fs);
  try {
    await fs.rename(temporary, directory);
  } catch (thrown) {
    if (replaced) await fs.rename(old, directory);
    throw thrown;
  }
  await syncDirectory(parent, fs);
  if (replaced) await discard(old, fs);
}

/** False when there was nothing to rename. */
async function rename(from: string, to: string, fs: FileSystem): Promise<boolean> {
  try {
    await fs.rename(from, to);
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw thrown;
  }
}

async function sweepWhere(
  directory: string,
  fs: FileSystem,
  isStale: (target: string, path: string) => boolean | Promise<boolean>,
): Promise<void> {
  const names = new Set(await listNames(directory, fs));
  for (const name of names) {
    const parsed = parseTemporaryName(name);
    const path = join(directory, name);
    if (!parsed || !(await isStale(parsed.target, path))) continue;
    if (parsed.role === "old" && !names.has(parsed.target)) {
      await fs.rename(path, join(directory, parsed.target));
      names.add(parsed.target);
    } else {
      await discard(path, fs);
    }
  }
}

/** Names in a directory; empty when it does not exist. */
export async function listNames(directory: string, fs: FileSystem): Promise<string[]> {
  try {
    return await fs.readdir(directory);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw thrown;
  }
}

function flatten(files: ReadonlyMap<string, FileContent>): Uint8Array[] {
  return [...files.values()].flatMap((content) =>
    typeof content === "string"
      ? [Buffer.from(content)]
      : content instanceof Uint8Array
        ? [content]
        : [...content],
  );
}
