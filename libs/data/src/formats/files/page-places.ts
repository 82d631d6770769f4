import {
  snappyUncompress,
  type AsyncBuffer,
  type ColumnMetaData,
  type Compressors,
} from "hyparquet";
import { readStruct, type ThriftStruct } from "./thrift.js";

/** A page of a column as Parquet's own offset index describes it; a page begins with a row. */
export interface PagePlace {
  offset: bigint;
  /** With its header. */
  compressed_page_size: number;
  /** Counts from the first row of the group. */
  first_row_index: bigint;
}

export interface PagePlacesOptions {
  /** How many lists deep the column's values stand; 0: one value a row. */
  depth: number;
  compressors: Compressors;
}

/** More than a page's header usually has. */
const HEADER_BYTES = 1 << 12;

/**
 * Where the pages of a column chunk are, found by their headers: what a file without an offset index (as
 * pyarrow writes by default) needs so that some of its rows can be read without all before them.
 */
export async function pagePlaces(
  file: AsyncBuffer,
  column: ColumnMetaData,
  options: PagePlacesOptions,
): Promise<PagePlace[]> {
  const start = Number(column.dictionary_page_offset ?? column.data_page_offset);
  const end = start + Number(column.total_compressed_size);
  const places: PagePlace[] = [];
  let row = 0;
  for (let at = start; at < end;) {
    const { header, length } = await readHeader(file, at, end);
    const size = length + numberOf(header, COMPRESSED_SIZE);
    if (isData(header)) {
      const body = { file, start: at + length, end: at + size };
      const { numRows, isContinued } = await rowsOf(header, body, { ...options, column });
      const last = places.at(-1);
      if (isContinued && last) last.compressed_page_size += size;
      else places.push(placeAt(at, size, row));
      row += numRows;
    }
    at += size;
  }
  return places;
}

const placeAt = (at: number, size: number, row: number): PagePlace => ({
  offset: BigInt(at),
  compressed_page_size: size,
  first_row_index: BigInt(row),
});

// Fields of Parquet's PageHeader.
const TYPE = 1;
const UNCOMPRESSED_SIZE = 2;
const COMPRESSED_SIZE = 3;
const DATA_HEADER = 5;
const DATA_HEADER_V2 = 8;
const isData = (header: ThriftStruct) => [0, 3].includes(numberOf(header, TYPE));

async function readHeader(file: AsyncBuffer, at: number, end: number) {
  for (let size = HEADER_BYTES; ; size *= 8) {
    const bytes = new Uint8Array(await file.slice(at, Math.min(end, at + size)));
    const read = readStruct(bytes);
    if (read) return { header: read.value, length: read.length };
    if (at + size >= end) throw new Error("a page's header is cut off");
  }
}

function numberOf(struct: ThriftStruct, field: number): number {
  const value = struct.get(field);
  if (typeof value === "number") return value;
  throw new Error("a page's header lacks a field");
}

function structOf(struct: ThriftStruct, field: number): ThriftStruct {
  const value = struct.get(field);
  if (value instanceof Map) return value;
  throw new Error("a page's header lacks a field");
}

interface Body {
  file: AsyncBuffer;
  start: number;
  end: number;
}

/** Rows that begin in a page, and whether its first value goes on with a row of the page before. */
async function rowsOf(
  header: ThriftStruct,
  { file, start, end }: Body,
  { depth, column, compressors }: PagePlacesOptions & { column: ColumnMetaData },
) {
  if (header.has(DATA_HEADER_V2)) {
    return { numRows: numberOf(structOf(header, DATA_HEADER_V2), 3), isContinued: false };
  }
  const numValues = numberOf(structOf(header, DATA_HEADER), 1);
  if (depth === 0) return { numRows: numValues, isContinued: false };
  const packed = new Uint8Array(await file.slice(start, end));
  const size = numberOf(header, UNCOMPRESSED_SIZE);
  const bytes = unpacked(packed, { codec: column.codec, size, compressors });
  const bits = 32 - Math.clz32(depth);
  // Four bytes say how long the levels are; level 0 begins a row.
  const levels = levelsOf(bytes.subarray(4), { bits, count: numValues });
  return { numRows: levels.filter((level) => level === 0).length, isContinued: levels[0] !== 0 };
}

function unpacked(
  bytes: Uint8Array,
  how: { codec: ColumnMetaData["codec"]; size: number; compressors: Compressors },
): Uint8Array {
  const { codec, size, compressors } = how;
  if (codec === "UNCOMPRESSED") return bytes;
  const unpack = compressors[codec];
  if (unpack) return unpack(bytes, size);
  if (codec === "SNAPPY") {
    const output = new Uint8Array(size);
    snappyUncompress(bytes, output);
    return output;
  }
  throw new Error(`parquet unsupported compression codec: ${codec}`);
}

/** Numbers as Parquet's hybrid of run lengths and packed bits holds them. */
function levelsOf(bytes: Uint8Array, { bits, count }: { bits: number; count: number }): Uint8Array {
  const levels = new Uint8Array(count);
  let at = 0;
  for (let done = 0; done < count;) {
    let head = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      head |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    const size = (head >>> 1) * (head & 1 ? 8 : 1);
    if (size === 0) throw new Error("levels of a page that do not go on");
    const upTo = Math.min(count, done + size);
    if (head & 1) {
      for (let i = done; i < upTo; i++) levels[i] = bitsAt(bytes, at * 8 + (i - done) * bits, bits);
      at += (size / 8) * bits;
    } else {
      levels.fill(bytes[at++]!, done, upTo);
    }
    done = upTo;
  }
  return levels;
}

function bitsAt(bytes: Uint8Array, at: number, bits: number): number {
  let value = 0;
  for (let i = 0; i < bits; i++) value |= ((bytes[(at + i) >> 3]! >> ((at + i) & 7)) & 1) << i;
  return value;
}
