import type { FileHandle } from "node:fs/promises";
import { StagecraftError } from "@stagecraft/core";
import { nodeFileSystem, type FileSystem } from "./file-system.js";
import { widenBF16, widenF16 } from "./half.js";
import type { Safetensors } from "./safetensors.js";
import { corrupt, parseHeader, readHeaderLength, type HeaderEntry } from "./safetensors-header.js";
import { DATA_CLASSES, sizeOfShape, type TensorData, type TensorEntry } from "./tensor-entry.js";

/** Values of half the size are widened by pieces of so many bytes. */
const PIECE_BYTES = 1 << 22;

/** One read of Node reaches no further than 2 GiB. */
const MAX_READ_BYTES = 1 << 30;

/**
 * Reads a safetensors file, each tensor into an array of its own: beside the result nothing of its size is
 * ever in memory. Errors name the file. Throws `not_found`, and what `decodeSafetensors` throws.
 */
export async function readSafetensors(
  file: string,
  { fileSystem = nodeFileSystem }: { fileSystem?: FileSystem } = {},
): Promise<Safetensors> {
  try {
    const handle = await fileSystem.open(file, "r");
    try {
      return await readTensors(handle, file);
    } finally {
      await handle.close();
    }
  } catch (thrown) {
    if (thrown instanceof StagecraftError) throw thrown;
    const { code, reason } = StagecraftError.from(thrown);
    throw new StagecraftError(code, `cannot read ${file}: ${reason}`, { cause: thrown });
  }
}

async function readTensors(handle: FileHandle, file: string): Promise<Safetensors> {
  const { size } = await handle.stat();
  const source: Source = { handle, file, piece: new Uint8Array(Math.min(PIECE_BYTES, size)) };
  const prefix = new Uint8Array(Math.min(8, size));
  await readInto(source, prefix, 0);
  const start = 8 + readHeaderLength(prefix, size, file);
  const json = new Uint8Array(start - 8);
  await readInto(source, json, 8);
  const { entries, metadata } = parseHeader(json, size - start, file);
  const tensors = new Map<string, TensorEntry>();
  for (const entry of entries) {
    const { name, dtype, shape } = entry;
    tensors.set(name, { dtype, shape, data: await readValues(source, entry, start) });
  }
  return { tensors, metadata };
}

interface Source {
  handle: FileHandle;
  file: string;
  /** What is read before it is widened, one after the other in the same memory. */
  piece: Uint8Array;
}

async function readValues(
  source: Source,
  { dtype, shape, begin, end }: HeaderEntry,
  start: number,
): Promise<TensorData> {
  const values = new DATA_CLASSES[dtype](sizeOfShape(shape));
  if (dtype !== "F16" && dtype !== "BF16") {
    const bytes = new Uint8Array(values.buffer);
    await readInto(source, bytes, start + begin);
    return values;
  }
  const widen = dtype === "F16" ? widenF16 : widenBF16;
  for (let offset = begin; offset < end; offset += PIECE_BYTES) {
    const piece = source.piece.subarray(0, Math.min(PIECE_BYTES, end - offset));
    await readInto(source, piece, start + offset);
    const halves = new Uint16Array(piece.buffer, 0, piece.length / 2);
    const from = (offset - begin) / 2;
    widen(halves, (values as Float32Array).subarray(from, from + halves.length));
  }
  return values;
}

/** Fills `bytes` from `position` of the file. */
async function readInto(
  { handle, file }: Pick<Source, "handle" | "file">,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let offset = 0; offset < bytes.length;) {
    const length = Math.min(MAX_READ_BYTES, bytes.length - offset);
    const { bytesRead } = await handle.read(bytes, offset, length, position + offset);
    if (bytesRead === 0)
      throw corrupt(file, `it ended at byte ${position + offset} while it was read`);
    offset += bytesRead;
  }
}
