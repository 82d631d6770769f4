import type { PjrtArray, PjrtArrays, PjrtDtype } from "./pjrt.js";

interface DtypeInfo {
  /** PJRT_Buffer_Type of pjrt_c_api.h. */
  code: number;
  /** Its name in MLIR text. */
  mlir: string;
  bytes: number;
  array: new (length: number) => PjrtArray;
}

const DTYPES: Readonly<Record<PjrtDtype, DtypeInfo>> = {
  pred: { code: 1, mlir: "i1", bytes: 1, array: Uint8Array },
  s8: { code: 2, mlir: "i8", bytes: 1, array: Int8Array },
  s16: { code: 3, mlir: "i16", bytes: 2, array: Int16Array },
  s32: { code: 4, mlir: "i32", bytes: 4, array: Int32Array },
  s64: { code: 5, mlir: "i64", bytes: 8, array: BigInt64Array },
  u8: { code: 6, mlir: "ui8", bytes: 1, array: Uint8Array },
  u16: { code: 7, mlir: "ui16", bytes: 2, array: Uint16Array },
  u32: { code: 8, mlir: "ui32", bytes: 4, array: Uint32Array },
  u64: { code: 9, mlir: "ui64", bytes: 8, array: BigUint64Array },
  f16: { code: 10, mlir: "f16", bytes: 2, array: Uint16Array },
  f32: { code: 11, mlir: "f32", bytes: 4, array: Float32Array },
  f64: { code: 12, mlir: "f64", bytes: 8, array: Float64Array },
  bf16: { code: 13, mlir: "bf16", bytes: 2, array: Uint16Array },
};

const NAMES = Object.keys(DTYPES) as PjrtDtype[];

/** What the C API, MLIR and the host know a type by; undefined for a name that is none. */
export function dtypeInfo(dtype: string): DtypeInfo | undefined {
  return Object.hasOwn(DTYPES, dtype) ? DTYPES[dtype as PjrtDtype] : undefined;
}

/** The type with a PJRT_Buffer_Type; undefined for those that this package does not carry (complex, 8-bit floats). */
export function dtypeOfCode(code: number): PjrtDtype | undefined {
  return NAMES.find((name) => DTYPES[name].code === code);
}

/** The type with a name of MLIR's. */
export function dtypeOfMlir(mlir: string): PjrtDtype | undefined {
  return NAMES.find((name) => DTYPES[name].mlir === mlir);
}

/** An array for `shape` on the host, of zeros. */
export function hostArray<T extends PjrtDtype>(dtype: T, shape: readonly number[]): PjrtArrays[T] {
  return new DTYPES[dtype].array(sizeOf(shape)) as PjrtArrays[T];
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** As HLO writes it: `f32[2,3]`. */
export function typeText(dtype: string, shape: readonly number[]): string {
  return `${dtype}[${shape.join(",")}]`;
}
