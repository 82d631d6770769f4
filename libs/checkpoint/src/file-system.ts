import * as fs from "node:fs/promises";

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
