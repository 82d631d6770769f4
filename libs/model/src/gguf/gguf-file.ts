/** The GGUF format, version 3 (github.com/ggml-org/ggml, docs/gguf.md), written. */
import { atomicWriteFile, narrowBF16, narrowF16, type TensorEntry } from "@stagecraft/checkpoint";
import { quantizeQ8 } from "./q8.js";

/** How the elements of a tensor are stored. */
export type GgufType = "f32" | "f16" | "bf16" | "q8_0";

/** A value of the metadata, with its type where a number alone does not say it. */
export type GgufValue =
  | string
  | boolean
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly strings: readonly string[] }
  | { readonly i32s: readonly number[] }
  | { readonly f32s: readonly number[] };

export interface GgufTensor extends Pick<TensorEntry, "shape"> {
  readonly data: Float32Array;
  readonly type: GgufType;
}

export interface GgufContent {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

const ALIGNMENT = 32;
const TYPE_IDS: Readonly<Record<GgufType, number>> = { f32: 0, f16: 1, q8_0: 8, bf16: 30 };
const [U32, I32, F32, BOOL, STRING, ARRAY] = [4, 5, 6, 7, 8, 9];

/** Writes a file atomically. */
export async function writeGguf(file: string, { metadata, tensors }: GgufContent): Promise<void> {
  const stored = [...tensors].map(([name, tensor]) => ({ name, tensor, bytes: encode(tensor) }));
  const header = [Buffer.from("GGUF"), u32(3), u64(stored.length), u64(metadata.size)];
  for (const [key, value] of metadata) header.push(text(key), encodeValue(value));
  let offset = 0;
  for (const { name, tensor, bytes } of stored) {
    const dims = [...tensor.shape].reverse(); // the one that varies fastest first
    header.push(text(name), u32(dims.length), ...dims.map(u64), u32(TYPE_IDS[tensor.type]));
    header.push(u64(offset));
    offset += bytes.length + paddingAfter(bytes.length);
  }
  const start = Buffer.concat(header);
  const chunks: Uint8Array[] = [start, Buffer.alloc(paddingAfter(start.length))];
  for (const { bytes } of stored) chunks.push(bytes, Buffer.alloc(paddingAfter(bytes.length)));
  await atomicWriteFile(file, chunks);
}

const paddingAfter = (length: number) => (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT;

function encode({ type, data }: GgufTensor): Buffer {
  const values =
    type === "f32"
      ? data
      : type === "f16"
        ? narrowF16(data)
        : type === "bf16"
          ? narrowBF16(data)
          : quantizeQ8(data);
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

function encodeValue(value: GgufValue): Buffer {
  if (typeof value === "string") return Buffer.concat([u32(STRING!), text(value)]);
  if (typeof value === "boolean") return Buffer.concat([u32(BOOL!), Buffer.of(value ? 1 : 0)]);
  if ("u32" in value) return Buffer.concat([u32(U32!), u32(value.u32)]);
  if ("f32" in value) {
    return Buffer.concat([u32(F32!), Buffer.from(Float32Array.of(value.f32).buffer)]);
  }
  if ("strings" in value) {
    const { strings } = value;
    const parts = [u32(ARRAY!), u32(STRING!), u64(strings.length)];
    return Buffer.concat(parts.concat(strings.map(text))); // too many for arguments
  }
  const [type, numbers] =
    "f32s" in value ? [F32!, Float32Array.from(value.f32s)] : [I32!, Int32Array.from(value.i32s)];
  return Buffer.concat([u32(ARRAY!), u32(type), u64(numbers.length), Buffer.from(numbers.buffer)]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
}
