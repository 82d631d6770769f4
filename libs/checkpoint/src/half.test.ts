import { describe, expect, it } from "vitest";
import { narrowBF16, narrowF16, widenBF16, widenF16 } from "./half.js";

const everyHalf = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

describe("half precision", () => {
  it("returns every F16 and BF16 value through float32 unchanged", () => {
    const isNaN16 = (bits: number) => (bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0;
    const isNaNB = (bits: number) => (bits & 0x7f80) === 0x7f80 && (bits & 0x7f) !== 0;
    const f16 = narrowF16(widenF16(everyHalf));
    const bf16 = narrowBF16(widenBF16(everyHalf));
    for (let bits = 0; bits < 65536; bits++) {
      if (!isNaN16(bits) && f16[bits] !== bits) expect(f16[bits]).toBe(bits);
      if (!isNaNB(bits) && bf16[bits] !== bits) expect(bf16[bits]).toBe(bits);
    }
  });

  it("widens the values of the standard's table", () => {
    const bits = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x3555, 0x7c00);
    expect([...widenF16(bits)]).toEqual([
      1,
      -2,
      65504,
      2 ** -14,
      2 ** -24,
      0.333251953125,
      Infinity,
    ]);
    expect([...widenBF16(Uint16Array.of(0x3f80, 0x4049))]).toEqual([1, 3.140625]);
  });

  it("rounds to nearest, ties to even, and overflows to infinity", () => {
    const values = Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, 2047.9, 65519, 65520, 2 ** -25);
    expect([...narrowF16(values)]).toEqual([0x3c00, 0x3c02, 0x6800, 0x7bff, 0x7c00, 0]);
    expect([...narrowBF16(Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, NaN))]).toEqual([
      0x3f80, 0x3f82, 0x7fc0,
    ]);
  });
});
