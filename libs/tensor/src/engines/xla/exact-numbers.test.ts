import { createRandom } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import { partsOf } from "./exact-numbers.js";

describe("partsOf()", () => {
  it("gives f32 numbers whose sum is the f64 number, to the bit", () => {
    const random = createRandom(1);
    const some = Array.from({ length: 1000 }, () => random.nextFloat() * 10 ** -random.nextInt(9));
    const numbers = Float64Array.from([0, 1, 0.3, 0.1, 1 / 3, 1 - 2 ** -53, 1 + 2 ** -52, ...some]);
    const n = numbers.length;
    const parts = partsOf(numbers);
    const sums = numbers.map((_, i) => parts[i]! + parts[n + i]! + parts[2 * n + i]!);
    expect(sums).toEqual(numbers);
    expect(numbers.some((x, i) => x !== parts[i]! + parts[n + i]!)).toBe(true); // two are too few
  });
});
