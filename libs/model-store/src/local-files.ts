import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { isSafeName, type ModelFile } from "./model-manifest.js";

/** The files of a directory, below it too, with their hashes. Links to files count as files. */
export async function hashDirectory(dir: string, signal?: AbortSignal): Promise<ModelFile[]> {
  const names = await namesBelow(dir, "");
  const files: ModelFile[] = [];
  for (const name of names) {
    const { sizeBytes, sha256 } = await hashFile(join(dir, name), signal);
    files.push({ name, sizeBytes, sha256 });
  }
  return files;
}

async function hashFile(
  path: string,
  signal?: AbortSignal,
): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash("sha256");
  const sizeBytes = await hashInto(hash, path, { signal });
  return { sizeBytes, sha256: hash.digest("hex") };
}

/** Feeds a hash with a file, or its beginning; resolves to the bytes read. */
export async function hashInto(
  hash: { update(data: Uint8Array): unknown },
  path: string,
  { signal, length }: { signal?: AbortSignal | undefined; length?: number | undefined },
): Promise<number> {
  if (length === 0) return 0;
  let numBytes = 0;
  for await (const chunk of readSlice(path, 0, length)) {
    throwIfAborted(signal);
    hash.update(chunk);
    numBytes += chunk.length;
  }
  return numBytes;
}

/** A part of a file, in chunks of 1 MiB; to its end without a length. */
export function readSlice(path: string, from: number, length?: number): AsyncIterable<Uint8Array> {
  const end = length === undefined ? {} : { end: from + length - 1 };
  return createReadStream(path, { start: from, ...end, highWaterMark: 1024 * 1024 });
}

/** A part of a file, whole. */
export async function readPart(path: string, from: number, length: number): Promise<Uint8Array> {
  if (length === 0) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  for await (const chunk of readSlice(path, from, length)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function namesBelow(dir: string, prefix: string): Promise<string[]> {
  const names: string[] = [];
  const entries = await readdir(join(dir, prefix)).catch((thrown: unknown) => {
    const { code, reason } = StagecraftError.from(thrown);
    throw new StagecraftError(code, `cannot read ${dir}: ${reason}`, { cause: thrown });
  });
  for (const entry of entries.sort()) {
    const name = prefix === "" ? entry : `${prefix}/${entry}`;
    const found = await stat(join(dir, name));
    if (found.isDirectory()) names.push(...(await namesBelow(dir, name)));
    else if (found.isFile()) names.push(checked(dir, name));
  }
  return names;
}

function checked(dir: string, name: string): string {
  if (isSafeName(name)) return name;
  throw new StagecraftError(
    "invalid_argument",
    `${join(dir, name)}: names in a model are of letters, digits, ., _ and -, not beginning with . or -; take this file away`,
  );
}
