import { StagecraftError } from "@stagecraft/core";
import { BYTES_PER_ELEMENT, sizeOfShape, type DType } from "./tensor-entry.js";

/** The format's own limit; a larger header is an attack or not a safetensors file. */
const MAX_HEADER_BYTES = 100_000_000;

/** A model of a thousand layers has some ten thousand. */
const MAX_TENSORS = 250_000;
const MAX_DIMENSIONS = 16;

export interface HeaderEntry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Byte range within the data section. */
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  readonly entries: readonly HeaderEntry[];
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads the length field of a file of `fileBytes` bytes. `source` is the file name for messages.
 * Throws `data_loss` when the file cannot be safetensors or ends inside the header.
 */
export function readHeaderLength(prefix: Uint8Array, fileBytes: number, source: string): number {
  if (prefix.length < 8) {
    throw corrupt(source, `not a safetensors file: ${fileBytes} bytes is shorter than its prefix`);
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw corrupt(
      source,
      `not a safetensors file: header of ${length} bytes (limit ${MAX_HEADER_BYTES})`,
    );
  }
  if (length < 2n) throw corrupt(source, `not a safetensors file: header of ${length} bytes`);
  if (Number(length) > fileBytes - 8) {
    throw corrupt(source, `truncated: header of ${length} bytes in a file of ${fileBytes}`);
  }
  return Number(length);
}

/** Parses and checks the JSON header against the size of the data section. */
export function parseHeader(bytes: Uint8Array, dataBytes: number, source: string): Header {
  const { __metadata__: metadata = {}, ...fields } = parseObject(bytes, source);
  const count = Object.keys(fields).length;
  if (count > MAX_TENSORS) throw corrupt(source, `${count} tensors (limit ${MAX_TENSORS})`);
  const entries = Object.entries(fields).map(([name, field]) => parseEntry(name, field, source));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkLayout(entries, dataBytes, source);
  return { entries, metadata: checkMetadata(metadata, source) };
}

function parseObject(bytes: Uint8Array, source: string): Record<string, unknown> {
  if (bytes[0] !== 0x7b) throw corrupt(source, "not a safetensors file: header is not JSON");
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw corrupt(source, "header is not valid JSON", cause);
  }
}

function parseEntry(name: string, field: unknown, source: string): HeaderEntry {
  const where = `tensor ${JSON.stringify(name.slice(0, 200))}`;
  if (!isRecord(field)) throw corrupt(source, `${where} has no description`);
  const { shape, data_offsets: offsets } = field;
  const dtype = parseDType(field["dtype"], where, source);
  if (!isCounts(shape) || shape.length > MAX_DIMENSIONS)
    throw corrupt(source, `${where} has a bad shape`);
  if (!isCounts(offsets) || offsets.length !== 2) {
    throw corrupt(source, `${where} has bad data_offsets`);
  }
  const [begin, end] = offsets as [number, number];
  const expected = sizeOfShape(shape) * BYTES_PER_ELEMENT[dtype];
  if (end - begin !== expected) {
    throw corrupt(
      source,
      `${where} of shape [${shape.join(", ")}] and type ${dtype} needs ${expected} bytes, its offsets hold ${end - begin}`,
    );
  }
  return { name, dtype, shape, begin, end };
}

function parseDType(dtype: unknown, where: string, source: string): DType {
  if (dtype === "BOOL") return "U8";
  if (typeof dtype === "string" && Object.hasOwn(BYTES_PER_ELEMENT, dtype)) return dtype as DType;
  throw new StagecraftError(
    "unimplemented",
    `${source}: ${where} has element type ${JSON.stringify(dtype) ?? "none"}; supported: ${Object.keys(BYTES_PER_ELEMENT).join(", ")}`,
    { details: { file: source } },
  );
}

function checkLayout(entries: readonly HeaderEntry[], dataBytes: number, source: string): void {
  let end = 0;
  for (const entry of entries) {
    if (entry.begin !== end) {
      const fault = entry.begin < end ? "overlaps its neighbour" : "leaves a hole before it";
      throw corrupt(source, `tensor ${JSON.stringify(entry.name)} ${fault} at byte ${entry.begin}`);
    }
    end = entry.end;
  }
  if (end > dataBytes) {
    throw corrupt(source, `truncated: ${dataBytes} bytes of data, the header promises ${end}`);
  }
  if (end < dataBytes) throw corrupt(source, `${dataBytes - end} bytes after the last tensor`);
}

function checkMetadata(metadata: unknown, source: string): Record<string, string> {
  if (!isRecord(metadata) || Object.values(metadata).some((value) => typeof value !== "string")) {
    throw corrupt(source, "__metadata__ must map strings to strings");
  }
  return metadata as Record<string, string>;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

/** `data_loss` naming the file, what is wrong with it and what to do. */
export function corrupt(source: string, problem: string, cause?: unknown): StagecraftError {
  return new StagecraftError("data_loss", `${source}: ${problem}; use another copy of the file`, {
    cause,
    details: { file: source },
  });
}
