import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { writeFailure } from "../write/write-jsonl.js";
import type { StreamManifest } from "./manifest.js";

const BUFFER_TOKENS = 1 << 18;

export interface TokenWriterOptions {
  dir: string;
  /** Start of the file names. */
  name: string;
  dtype: "uint16" | "uint32";
  /** Tokens a file. */
  shardTokens: number;
}

/** Writes one stream of token ids into shards; holds one buffer and the document starts. */
export class TokenWriter {
  private readonly buffer: Uint16Array | Uint32Array;
  private buffered = 0;
  private handle: FileHandle | undefined;
  private readonly shards: StreamManifest["shards"] = [];
  private readonly starts: number[] = [];
  private numTokens = 0;
  numBytes = 0;
  numChars = 0;

  constructor(private readonly options: TokenWriterOptions) {
    const size = Math.min(BUFFER_TOKENS, options.shardTokens);
    this.buffer = options.dtype === "uint16" ? new Uint16Array(size) : new Uint32Array(size);
  }

  /** Notes that a document starts with the next token. */
  startDocument(): void {
    if (this.starts.at(-1) !== this.numTokens) this.starts.push(this.numTokens);
  }

  async write(ids: ArrayLike<number>): Promise<void> {
    for (let i = 0; i < ids.length; i++) {
      this.buffer[this.buffered++] = ids[i]!;
      this.numTokens++;
      if (this.buffered === this.buffer.length) await this.flush();
    }
  }

  /** Flushes and fsyncs everything; the writer is done. */
  async finish(): Promise<StreamManifest> {
    if (this.buffered > 0) await this.flush();
    await this.closeShard();
    const documentsFile = `${this.options.name}.documents`;
    if (this.starts.at(-1) === this.numTokens) this.starts.pop(); // nothing came after it
    await this.writeFile(documentsFile, bytesOf(Float64Array.from(this.starts)));
    return {
      shards: this.shards,
      documentsFile,
      numDocuments: this.starts.length,
      numTokens: this.numTokens,
      numBytes: this.numBytes,
      numChars: this.numChars,
    };
  }

  /** Closes what is open, after a failure. */
  async abandon(): Promise<void> {
    await this.handle?.close();
    this.handle = undefined;
  }

  private async flush(): Promise<void> {
    for (let start = 0; start < this.buffered;) {
      const shard = await this.shardWithRoom();
      const end = Math.min(this.buffered, start + this.options.shardTokens - shard.numTokens);
      await this.append(shard.file, bytesOf(this.buffer.subarray(start, end)));
      shard.numTokens += end - start;
      start = end;
    }
    this.buffered = 0;
  }

  private async shardWithRoom(): Promise<StreamManifest["shards"][number]> {
    const current = this.shards.at(-1);
    if (current && current.numTokens < this.options.shardTokens) return current;
    await this.closeShard();
    const index = String(this.shards.length).padStart(4, "0");
    const shard = { file: `${this.options.name}.${index}.tokens`, numTokens: 0 };
    this.shards.push(shard);
    return shard;
  }

  private async append(file: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.options.dir, file);
    try {
      this.handle ??= await open(path, "a");
      await this.handle.appendFile(bytes);
    } catch (thrown) {
      throw writeFailure(path, thrown);
    }
  }

  private async closeShard(): Promise<void> {
    const { handle } = this;
    this.handle = undefined;
    if (!handle) return;
    await handle.sync().finally(() => handle.close());
  }

  private async writeFile(file: string, bytes: Uint8Array): Promise<void> {
    await this.append(file, bytes);
    await this.closeShard();
  }
}

function bytesOf(array: Uint16Array | Uint32Array | Float64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
