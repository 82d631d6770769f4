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
  type ParquetScan,
  type RowGroup,
  type SchemaTree,
} from "hyparquet";
import type { RecordFileFormat, StoredRecord } from "./file-format.js";
import { pagePlaces, type PagePlace } from "./page-places.js";

/** Bytes of a row group that are read at once, as they are unpacked. */
const WINDOW_BYTES = 1 << 24;

/** Parquet, read some rows at a time: of each column the pages that hold them are in memory. */
export const parquetFiles: RecordFileFormat = {
  name: "parquet",
  endings: [".parquet"],
  unit: "row",
  readRecords: (file, signal) => readParquet(file, { signal }),
};

export interface ReadParquetOptions {
  signal?: AbortSignal | undefined;
  /** About so many bytes of rows are in memory. */
  windowBytes?: number;
}

/** Every row of a file, in order. */
export async function* readParquet(
  file: string,
  { signal, windowBytes = WINDOW_BYTES }: ReadParquetOptions = {},
): AsyncGenerator<StoredRecord> {
  const handle = await opened(file);
  try {
    const buffer = await bufferOf(handle);
    const metadata = await guarded(file, () => parquetMetadataAsync(buffer));
    let rowStart = 0;
    for (const group of metadata.row_groups) {
      const windows = windowsOf(group, { rowStart, windowBytes });
      const scan = await guarded(file, () => openGroup(buffer, metadata, { group, windows }));
      for (const window of windows) {
        throwIfAborted(signal);
        const rows = await guarded(file, () => readWindow(scan, window));
        for (let i = 0; i < rows.length; i++) {
          const value = plain(rows[i]);
          rows[i] = {}; // what was handed over need not stay
          yield { place: window.rowStart + i + 1, value };
        }
      }
      rowStart += Number(group.num_rows);
    }
  } finally {
    await handle.close();
  }
}

interface RowRange {
  rowStart: number;
  rowEnd: number;
}

/** Stretches of a group's rows, each of about as many bytes. */
function windowsOf(
  group: RowGroup,
  { rowStart, windowBytes }: { rowStart: number; windowBytes: number },
): RowRange[] {
  const numRows = Number(group.num_rows);
  const share = windowBytes / Math.max(1, Number(group.total_byte_size));
  const perWindow = Math.max(1, Math.min(numRows, Math.floor(numRows * share)));
  return Array.from({ length: Math.ceil(numRows / perWindow) }, (_, i) => ({
    rowStart: rowStart + i * perWindow,
    rowEnd: rowStart + Math.min(numRows, (i + 1) * perWindow),
  }));
}

interface OpenGroup {
  group: RowGroup;
  windows: readonly RowRange[];
}

/** A group ready to be read in windows: with the places of its pages where the file does not say them. */
async function openGroup(
  file: AsyncBuffer,
  metadata: FileMetaData,
  { group, windows }: OpenGroup,
): Promise<ParquetScan> {
  const pageLocationsByGroup: Record<string, PagePlace[]>[] = [];
  const places: Record<string, PagePlace[]> = {};
  pageLocationsByGroup[metadata.row_groups.indexOf(group)] = places;
  const depths = depthsOf(parquetSchema(metadata));
  for (const { meta_data: column, offset_index_offset: index } of group.columns) {
    if (!column || index !== undefined || windows.length < 2) continue;
    const path = column.path_in_schema.join(".");
    const depth = depths.get(path) ?? 0;
    places[path] = await pagePlaces(file, column, { depth, compressors: COMPRESSORS });
  }
  const { rowStart = 0 } = windows[0] ?? {};
  const rowEnd = windows.at(-1)?.rowEnd ?? rowStart;
  const options = {
    file,
    metadata,
    rowStart,
    rowEnd,
    compressors: COMPRESSORS,
    pageLocationsByGroup,
  };
  return parquetScan(options);
}

/** How many lists deep each column's values stand, by its path. */
function depthsOf({ children }: SchemaTree, path: string[] = [], depth = 0): Map<string, number> {
  const depths = new Map<string, number>();
  for (const child of children) {
    const { name, repetition_type: repetition } = child.element;
    const [here, at] = [depth + (repetition === "REPEATED" ? 1 : 0), [...path, name]];
    if (child.children.length === 0) depths.set(at.join("."), here);
    for (const [below, its] of depthsOf(child, at, here)) depths.set(below, its);
  }
  return depths;
}

/** The rows of a window, one column after the other: the bytes of one column are in memory at a time. */
async function readWindow(
  { metadata, readColumn }: ParquetScan,
  window: RowRange,
): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  for (let i = window.rowStart; i < window.rowEnd; i++) rows.push({});
  for (const { element } of parquetSchema(metadata).children) {
    const values = await readColumn({ column: element.name, ...window });
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
