import { open, type FileHandle } from "node:fs/promises";
import * as zlib from "node:zlib";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import {
  parquetMetadataAsync,
  parquetScan,
  parquetSchema,
  type AsyncBuffer,
  type Compressors,
  type FileMetaData,
} from "hyparquet";
import type { RecordFileFormat } from "./file-format.js";

/** Parquet, read row group by row group: one group is in memory at a time. */
export const parquetFiles: RecordFileFormat = {
  name: "parquet",
  endings: [".parquet"],
  unit: "row",

  async *readRecords(file, signal) {
    const handle = await opened(file);
    try {
      const buffer = await bufferOf(handle);
      const metadata = await guarded(file, () => parquetMetadataAsync(buffer));
      let rowStart = 0;
      for (const { num_rows: numRows } of metadata.row_groups) {
        throwIfAborted(signal);
        const rowEnd = rowStart + Number(numRows);
        const rows = await guarded(file, () => readGroup(buffer, metadata, { rowStart, rowEnd }));
        for (let i = 0; i < rows.length; i++) {
          const value = plain(rows[i]);
          rows[i] = {}; // what was handed over need not stay
          yield { place: rowStart + i + 1, value };
        }
        rowStart = rowEnd;
      }
    } finally {
      await handle.close();
    }
  },
};

interface RowRange {
  rowStart: number;
  rowEnd: number;
}

/** The rows of a group, one column after the other: the bytes of one column are in memory at a time. */
async function readGroup(
  file: AsyncBuffer,
  metadata: FileMetaData,
  range: RowRange,
): Promise<Record<string, unknown>[]> {
  const scan = await parquetScan({ file, metadata, ...range, compressors: COMPRESSORS });
  const rows: Record<string, unknown>[] = [];
  for (let i = range.rowStart; i < range.rowEnd; i++) rows.push({});
  for (const { element } of parquetSchema(metadata).children) {
    const values = await scan.readColumn({ column: element.name, ...range });
    for (let i = 0; i < rows.length; i++) rows[i]![element.name] = values[i] as unknown;
  }
  return rows;
}

interface ZstdOfNode22 {
  zstdDecompressSync?(input: Uint8Array): Buffer;
}
const { zstdDecompressSync } = zlib as ZstdOfNode22;

/** Snappy is hyparquet's own; the rest is Node's. */
const COMPRESSORS: Compressors = {
  GZIP: (input) => zlib.gunzipSync(input),
  BROTLI: (input) => zlib.brotliDecompressSync(input),
  ...(zstdDecompressSync && { ZSTD: (input) => zstdDecompressSync(input) }),
};

async function opened(file: string): Promise<FileHandle> {
  return open(file).catch((thrown: unknown) => {
    const error = StagecraftError.from(thrown);
    const isMissing = error.code === "not_found";
    const reason = isMissing ? `there is no file ${file}` : `cannot read ${file}: ${error.reason}`;
    throw new StagecraftError(error.code, reason, { cause: thrown, details: { file } });
  });
}

async function bufferOf(handle: FileHandle): Promise<AsyncBuffer> {
  const { size } = await handle.stat();
  return {
    byteLength: size,
    async slice(start, end = size) {
      if (!(start >= 0 && start <= end && end <= size)) throw new Error("a place outside the file");
      const bytes = new Uint8Array(end - start);
      for (let at = 0; at < bytes.length;) {
        const { bytesRead } = await handle.read(bytes, at, bytes.length - at, start + at);
        if (bytesRead === 0) throw new Error("the file became shorter while it was read");
        at += bytesRead;
      }
      return bytes.buffer;
    },
  };
}

/** Whatever the reader stumbles over is damage of the file, but for a compression that it lacks. */
async function guarded<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    const codec = /unsupported compression codec: (\w+)/.exec(message)?.[1];
    const options = { cause: thrown, details: { file } };
    if (codec) {
      const advice =
        codec === "ZSTD" ? "use Node 22.15 or later, or write it" : "write the file again";
      const reason = `${file} is compressed with ${codec}, which is not read here; ${advice} with snappy or gzip`;
      throw new StagecraftError("unimplemented", reason, options);
    }
    const reason = `${file} is no intact parquet file (${message}); copy or write it again`;
    throw new StagecraftError("data_loss", reason, options);
  }
}

/** The value in JSON's types: whole numbers of 64 bits as numbers, or as texts where they are larger. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = plain(value[i]);
    return value as unknown[];
  }
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  const fields = value as Record<string, unknown>;
  for (const name of Object.keys(fields)) fields[name] = plain(fields[name]);
  return fields;
}
