import { closeSync, openSync, readSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import type { StreamManifest } from "./manifest.js";

/** The token ids of one source in one split, read from disk as they are asked for. */
export interface TokenStream {
  /** How often it is seen in an epoch. */
  weight: number;
  numTokens: number;
  /** Where each document starts [numDocuments]. */
  documentStarts: Float64Array;
  /** Ids `start … start + count`; throws when they are not all there. */
  read(start: number, count: number): Int32Array;
  /** Closes its files; reading opens them again. */
  close(): void;
}

/** Opens a stream; reads only the document starts now. */
export async function openTokenStream(
  dir: string,
  manifest: StreamManifest,
  options: { dtype: "uint16" | "uint32"; weight: number },
): Promise<TokenStream> {
  const starts = await readFile(join(dir, manifest.documentsFile));
  const shards = new ShardReader(dir, manifest, options.dtype === "uint16" ? 2 : 4);
  return {
    weight: options.weight,
    numTokens: manifest.numTokens,
    documentStarts: new Float64Array(Uint8Array.from(starts).buffer),
    read: (start, count) => shards.read(start, count),
    close: () => shards.close(),
  };
}

/**
 * Positioned, synchronous reads: a window costs a few µs from the page cache, which is less than an
 * asynchronous call, and nothing of the corpus stays in the process.
 */
class ShardReader {
  private readonly handles = new Map<string, number>();

  constructor(
    private readonly dir: string,
    private readonly manifest: StreamManifest,
    private readonly tokenBytes: 2 | 4,
  ) {}

  read(start: number, count: number): Int32Array {
    const ids = new Int32Array(count);
    let shardStart = 0;
    let filled = 0;
    for (const { file, numTokens } of this.manifest.shards) {
      const from = start + filled - shardStart;
      if (from >= 0 && from < numTokens && filled < count) {
        const take = Math.min(count - filled, numTokens - from);
        this.readShard(file, from, ids.subarray(filled, filled + take));
        filled += take;
      }
      shardStart += numTokens;
    }
    if (filled === count && start >= 0) return ids;
    throw new RangeError(`tokens ${start} … ${start + count} of ${this.manifest.numTokens}`);
  }

  close(): void {
    for (const handle of this.handles.values()) closeSync(handle);
    this.handles.clear();
  }

  private readShard(file: string, from: number, into: Int32Array): void {
    const { tokenBytes } = this;
    const bytes = new Uint8Array(into.length * tokenBytes);
    const done = readSync(this.handle(file), bytes, 0, bytes.length, from * tokenBytes);
    if (done !== bytes.length) {
      throw new StagecraftError(
        "data_loss",
        `${join(this.dir, file)} is shorter than its manifest says; delete ${this.dir} to make it anew`,
      );
    }
    into.set(tokenBytes === 2 ? new Uint16Array(bytes.buffer) : new Uint32Array(bytes.buffer));
  }

  private handle(file: string): number {
    let handle = this.handles.get(file);
    if (handle === undefined) {
      handle = openSync(join(this.dir, file), "r");
      this.handles.set(file, handle);
    }
    return handle;
  }
}
