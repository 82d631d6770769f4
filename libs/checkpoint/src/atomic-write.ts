import { randomBytes } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { formatBytes, StagecraftError } from "@stagecraft/core";
import { nodeFileSystem, type FileSystem } from "./file-system.js";

export interface AtomicOptions {
  /** For fault tests; Node's own by default. */
  fileSystem?: FileSystem;
  /**
   * Called when the new content is on the disk, right before it takes the name; throws when this
   * writer may no longer write. What was there then stays.
   */
  guard?: (() => void) | undefined;
}

/** A file's content; chunks are written one after the other without being joined in memory. */
export type FileContent = string | Uint8Array | readonly Uint8Array[];

/**
 * Replaces `file` so that a reader, at any moment and after any crash, sees the old content or the
 * new one, never a part: temporary in the same directory → write → fsync → rename → fsync directory.
 * The directory is created when missing. Throws `resource_exhausted` on a full disk (the old file
 * stays) and what `StagecraftError.from` makes of any other failure.
 */
export async function atomicWriteFile(
  file: string,
  content: FileContent,
  { fileSystem = nodeFileSystem, guard }: AtomicOptions = {},
): Promise<void> {
  const temporary = temporaryName(file);
  try {
    await fileSystem.mkdir(dirname(file), { recursive: true });
    await writeDurably(temporary, content, fileSystem);
    guard?.();
    await fileSystem.rename(temporary, file);
    await syncDirectory(dirname(file), fileSystem);
  } catch (thrown) {
    await discard(temporary, fileSystem);
    throw writeFailure(thrown, file, content);
  }
}

/** Writes a new file and forces it to the disk; the name must not exist. */
export async function writeDurably(
  file: string,
  content: FileContent,
  fileSystem: FileSystem,
): Promise<void> {
  const handle = await fileSystem.open(file, "wx");
  try {
    for (const chunk of chunksOf(content)) {
      for (let offset = 0; offset < chunk.length;) {
        const length = Math.min(MAX_WRITE_BYTES, chunk.length - offset);
        offset += (await handle.write(chunk, offset, length)).bytesWritten;
      }
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes renames inside the directory survive a power cut. */
export async function syncDirectory(directory: string, fileSystem: FileSystem): Promise<void> {
  if (process.platform === "win32") return; // directories cannot be opened there
  const handle = await fileSystem.open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Hidden sibling of `path` that no reader takes for the real thing. */
export function temporaryName(path: string, role: "tmp" | "old" = "tmp"): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}.${role}`);
}

/** The parts of a name that `temporaryName` made; undefined for every other name. */
export function parseTemporaryName(
  name: string,
): { target: string; role: "tmp" | "old" } | undefined {
  const match = /^\.(.+)\.[0-9a-f]{12}\.(tmp|old)$/.exec(name);
  return match ? { target: match[1]!, role: match[2] as "tmp" | "old" } : undefined;
}

/** Removes a leftover; its own failure must not hide the one that led here. */
export async function discard(path: string, fileSystem: FileSystem): Promise<void> {
  await fileSystem.rm(path, { recursive: true, force: true }).catch(() => undefined);
}

/** Gives a failed write a message that says what happened to the old content. */
export function writeFailure(thrown: unknown, path: string, content: FileContent): StagecraftError {
  if (thrown instanceof StagecraftError) return thrown;
  const error = StagecraftError.from(thrown);
  const size = formatBytes(chunksOf(content).reduce((sum, chunk) => sum + chunk.length, 0));
  const reason =
    error.code === "resource_exhausted"
      ? `no space left to write ${path} (${size}); what was there before is unchanged; free some space and run again`
      : `cannot write ${path}: ${error.reason}`;
  return new StagecraftError(error.code, reason, { cause: thrown, details: { file: path } });
}

const MAX_WRITE_BYTES = 1 << 26;

function chunksOf(content: FileContent): readonly Uint8Array[] {
  if (typeof content === "string") return [Buffer.from(content)];
  return content instanceof Uint8Array ? [content] : content;
}
