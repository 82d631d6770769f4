import { mkdir, open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { StagecraftError } from "@stagecraft/core";

const FLUSH_CHARS = 1 << 20;

/**
 * Writes records one a line so that the file is either the old one or whole: into a temporary file,
 * fsync, rename. Streams; creates the directory. Returns the number of records.
 */
export function writeJsonl(
  file: string,
  records: Iterable<unknown> | AsyncIterable<unknown>,
): Promise<number> {
  return replaceFile(file, async (temporary) => {
    const handle = await open(temporary, "w");
    return writeAll(handle, records).finally(() => handle.close());
  });
}

/** Lets `write` fill a temporary file and puts it in the place of `file`; creates the directory. */
export async function replaceFile<T>(
  file: string,
  write: (temporary: string) => Promise<T>,
): Promise<T> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    await mkdir(dirname(file), { recursive: true });
    const result = await write(temporary);
    await rename(temporary, file);
    return result;
  } catch (thrown) {
    await rm(temporary, { force: true });
    throw writeFailure(file, thrown);
  }
}

async function writeAll(
  handle: FileHandle,
  records: Iterable<unknown> | AsyncIterable<unknown>,
): Promise<number> {
  let pending = "";
  let count = 0;
  for await (const record of records) {
    pending += `${JSON.stringify(record)}\n`;
    count++;
    if (pending.length < FLUSH_CHARS) continue;
    await handle.appendFile(pending);
    pending = "";
  }
  await handle.appendFile(pending);
  await handle.sync();
  return count;
}

/** Adds lines to a JSONL file; lines are whole even after a crash in the middle of one. */
export interface JsonlAppender extends AsyncDisposable {
  /** Adds the records with one write. */
  append(...records: unknown[]): Promise<void>;
  /** Forces what was appended to the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a JSONL file for appending, creating it when missing. A last line without an end, left by a
 * crash, is completed when it is JSON and cut off when it is not.
 */
export async function openJsonlAppender(file: string): Promise<JsonlAppender> {
  await mkdir(dirname(file), { recursive: true });
  const handle = await open(file, "a+");
  try {
    await repairEnd(handle);
  } catch (thrown) {
    await handle.close();
    throw writeFailure(file, thrown);
  }
  return {
    async append(...records) {
      const text = records.map((record) => `${JSON.stringify(record)}\n`).join("");
      await handle.appendFile(text).catch((thrown: unknown) => {
        throw writeFailure(file, thrown);
      });
    },
    sync: () => handle.sync(),
    close: () => handle.close(),
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

async function repairEnd(handle: FileHandle): Promise<void> {
  const { size } = await handle.stat();
  const tail = await lastPartialLine(handle, size);
  if (tail.length === 0) return;
  if (isJson(tail.toString("utf8"))) await handle.appendFile("\n");
  else await handle.truncate(size - tail.length);
}

/** What follows the last newline of the file. */
async function lastPartialLine(handle: FileHandle, size: number): Promise<Buffer> {
  for (let window = 1 << 16; ; window *= 4) {
    const start = Math.max(0, size - window);
    const bytes = Buffer.alloc(size - start);
    await handle.read(bytes, 0, bytes.length, start);
    const newline = bytes.lastIndexOf(10);
    if (newline >= 0) return bytes.subarray(newline + 1);
    if (start === 0) return bytes;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Wraps a failed write: says which file, and for a full disk what to do. */
export function writeFailure(file: string, thrown: unknown): StagecraftError {
  const error = StagecraftError.from(thrown);
  if (thrown instanceof StagecraftError) return error;
  const advice = error.code === "resource_exhausted" ? "; free some disk space and try again" : "";
  return new StagecraftError(error.code, `cannot write ${file}: ${error.reason}${advice}`, {
    cause: thrown,
    details: { file },
  });
}
