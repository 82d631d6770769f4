import { StagecraftError } from "@stagecraft/core";
import { atomicWriteFile, type AtomicOptions } from "./atomic-write.js";
import { narrowBF16, narrowF16, widenBF16, widenF16 } from "./half.js";
import { sha256Of } from "./manifest.js";
import { parseHeader, readHeaderLength, type HeaderEntry } from "./safetensors-header.js";
import {
  BYTES_PER_ELEMENT,
  checkEntry,
  DATA_CLASSES,
  type TensorData,
  type TensorEntry,
  type TensorMap,
} from "./tensor-entry.js";

export interface Safetensors {
  readonly tensors: TensorMap;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Decodes one safetensors image (github.com/huggingface/safetensors, "Format"). Tensors are copies:
 * the bytes may belong to a pool. `source` names the origin in messages. Throws `data_loss` on any
 * violation of the format and `unimplemented` on an element type that we do not read.
 */
export function decodeSafetensors(input: Uint8Array, source = "safetensors data"): Safetensors {
  // A plain view: Buffer's own slice() would not copy.
  const bytes = new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  const headerLength = readHeaderLength(bytes.subarray(0, 8), bytes.length, source);
  const data = bytes.subarray(8 + headerLength);
  const header = parseHeader(bytes.subarray(8, 8 + headerLength), data.length, source);
  const tensors = new Map<string, TensorEntry>();
  for (const entry of header.entries) {
    const { name, dtype, shape } = entry;
    tensors.set(name, { dtype, shape, data: toTyped(data, entry) });
  }
  return { tensors, metadata: header.metadata };
}

/**
 * The image as chunks (header, then one per tensor), to be written or hashed without joining them.
 * F32, I32, I64 and U8 chunks are views of the entries' own memory. Same tensors, same bytes.
 */
export function encodeSafetensorsChunks(
  tensors: TensorMap,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array[] {
  // Widest first keeps every tensor aligned, as the reference implementation does.
  const entries = [...tensors].sort(
    ([a, x], [b, y]) =>
      BYTES_PER_ELEMENT[y.dtype] - BYTES_PER_ELEMENT[x.dtype] || (a < b ? -1 : a > b ? 1 : 0),
  );
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  const chunks: Uint8Array[] = [];
  let offset = 0;
  for (const [name, entry] of entries) {
    checkName(name);
    const chunk = toBytes(checkEntry(name, entry));
    const end = offset + chunk.length;
    header[name] = { dtype: entry.dtype, shape: entry.shape, data_offsets: [offset, end] };
    chunks.push(chunk);
    offset = end;
  }
  return [encodeHeader(header), ...chunks];
}

/** The image as one array. */
export function encodeSafetensors(
  tensors: TensorMap,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  return new Uint8Array(Buffer.concat(encodeSafetensorsChunks(tensors, metadata)));
}

/** Writes a safetensors file atomically. */
export async function writeSafetensors(
  file: string,
  tensors: TensorMap,
  { metadata, ...options }: AtomicOptions & { metadata?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  await atomicWriteFile(file, encodeSafetensorsChunks(tensors, metadata), options);
}

function toTyped(data: Uint8Array, { dtype, begin, end }: HeaderEntry): TensorData {
  const bytes = data.slice(begin, end); // a copy, aligned
  if (dtype === "F16") return widenF16(new Uint16Array(bytes.buffer));
  if (dtype === "BF16") return widenBF16(new Uint16Array(bytes.buffer));
  return new DATA_CLASSES[dtype](bytes.buffer);
}

function toBytes({ dtype, data }: TensorEntry): Uint8Array {
  let stored: TensorData | Uint16Array = data;
  if (dtype === "F16") stored = narrowF16(data as Float32Array);
  if (dtype === "BF16") stored = narrowBF16(data as Float32Array);
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}

function encodeHeader(header: Record<string, unknown>): Uint8Array {
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, " ");
  padded.writeBigUInt64LE(BigInt(padded.length - 8), 0);
  json.copy(padded, 8);
  return padded;
}

function checkName(name: string): void {
  if (name !== "__metadata__" && name !== "__proto__") return;
  throw new StagecraftError("invalid_argument", `${name} cannot be the name of a tensor`);
}

/** sha256 of the safetensors image of tensors: the hash that a weight store reports for them. */
export function sha256OfTensors(tensors: TensorMap): string {
  return sha256Of(encodeSafetensorsChunks(tensors));
}
