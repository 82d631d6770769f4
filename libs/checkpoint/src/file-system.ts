import * as fs from "node:fs/promises";
import type { JsonObject } from "@stagecraft/core";
import { corrupt } from "./safetensors-header.js";

/**
 * The part of node:fs/promises that this library touches. Injectable so that tests can cut the power
 * or fill the disk at any single call.
 */
export type FileSystem = Pick<
  typeof fs,
  "open" | "rename" | "rm" | "mkdir" | "readdir" | "readFile" | "stat"
>;

export const nodeFileSystem: FileSystem = fs;

/** Reads are split so that files beyond Node's 2 GiB limit of one call work. */
const MAX_READ_BYTES = 1 << 30;

/** The whole file in one fresh buffer that starts at offset 0 of its ArrayBuffer. */
export async function readWhole(file: string, fileSystem: FileSystem): Promise<Uint8Array> {
  const handle = await fileSystem.open(file, "r");
  try {
    const { size } = await handle.stat();
    const bytes = new Uint8Array(size);
    let offset = 0;
    while (offset < size) {
      const length = Math.min(MAX_READ_BYTES, size - offset);
      const { bytesRead } = await handle.read(bytes, offset, length, offset);
      if (bytesRead === 0) break; // shrunk while reading; the caller's checks report it
      offset += bytesRead;
    }
    return offset === size ? bytes : bytes.slice(0, offset);
  } finally {
    await handle.close();
  }
}

export async function readText(file: string, fileSystem: FileSystem): Promise<string> {
  return Buffer.from(await readWhole(file, fileSystem)).toString("utf8");
}

/** The JSON object in a file; throws `data_loss` for anything else. */
export async function readJson(file: string, fileSystem: FileSystem): Promise<JsonObject> {
  try {
    const parsed: unknown = JSON.parse(await readText(file, fileSystem));
    if (typeof parsed === "object" && parsed && !Array.isArray(parsed)) return parsed as JsonObject;
  } catch (cause) {
    throw corrupt(file, "not valid JSON", cause);
  }
  throw corrupt(file, "not a JSON object");
}
