import { StagecraftError } from "@stagecraft/core";

/** Element types that can be read and written; the names are those of the safetensors format. */
export type DType = "F32" | "I32" | "F16" | "BF16" | "I64" | "U8";

export type TensorData = Float32Array | Int32Array | BigInt64Array | Uint8Array;

/**
 * One tensor on the host, row-major. `dtype` is how it is stored; F16 and BF16 data are held widened
 * as Float32Array and rounded to nearest even when written. BOOL files are read as U8.
 */
export interface TensorEntry {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export type TensorMap = ReadonlyMap<string, TensorEntry>;

/** Bytes of one stored element. */
export const BYTES_PER_ELEMENT: Readonly<Record<DType, number>> = {
  I64: 8,
  F32: 4,
  I32: 4,
  F16: 2,
  BF16: 2,
  U8: 1,
};

/** An F32 entry; throws `invalid_argument` when the data does not fill the shape. */
export function f32(shape: readonly number[], data: Float32Array): TensorEntry {
  return checkEntry("tensor", { dtype: "F32", shape, data });
}

/** Number of elements of a shape; 1 for a scalar. */
export function sizeOfShape(shape: readonly number[]): number {
  return shape.reduce((size, dim) => size * dim, 1);
}

/** The entry itself when its data has the class and the length that dtype and shape promise. */
export function checkEntry(name: string, entry: TensorEntry): TensorEntry {
  const expected = sizeOfShape(entry.shape);
  if (entry.data.length !== expected) {
    throw new StagecraftError(
      "invalid_argument",
      `${name}: shape [${entry.shape.join(", ")}] needs ${expected} values, got ${entry.data.length}`,
    );
  }
  if (!(entry.data instanceof DATA_CLASSES[entry.dtype])) {
    throw new StagecraftError(
      "invalid_argument",
      `${name}: dtype ${entry.dtype} needs a ${DATA_CLASSES[entry.dtype].name}, got ${entry.data.constructor.name}`,
    );
  }
  return entry;
}

/** What holds the values of each type on the host. */
export const DATA_CLASSES = {
  F32: Float32Array,
  F16: Float32Array,
  BF16: Float32Array,
  I32: Int32Array,
  I64: BigInt64Array,
  U8: Uint8Array,
} as const;
