import * as zlib from "node:zlib";
import type { Transform } from "node:stream";
import { StagecraftError } from "@stagecraft/core";
import { createZstdFrames } from "./zstd-frames.js";

/** How a file is packed, known by the end of its name. */
export interface Compression {
  /** What people call it. */
  readonly name: string;
  readonly ending: string;
  /** One after the other. */
  unpackers(chunkSize: number): Transform[];
}

interface ZstdOfNode22 {
  createZstdDecompress?(options: { chunkSize: number }): Transform;
}

const COMPRESSIONS: readonly Compression[] = [
  { name: "gzip", ending: ".gz", unpackers: (chunkSize) => [zlib.createGunzip({ chunkSize })] },
  {
    name: "zstd",
    ending: ".zst",
    unpackers(chunkSize) {
      const { createZstdDecompress } = zlib as ZstdOfNode22;
      if (createZstdDecompress) return [createZstdFrames(), createZstdDecompress({ chunkSize })];
      const reason = `.zst needs Node 22.15 or later, this is ${process.version}; unpack the file, or pack it with gzip`;
      throw new StagecraftError("unimplemented", reason);
    },
  },
];

/** How the file is packed; undefined when it is not. */
export function compressionOf(file: string): Compression | undefined {
  return COMPRESSIONS.find(({ ending }) => file.endsWith(ending));
}

/** The name without the ending that says how it is packed. */
export function withoutCompression(file: string): string {
  const compression = compressionOf(file);
  return compression ? file.slice(0, -compression.ending.length) : file;
}
