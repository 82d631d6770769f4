import { describe, expect, it } from "vitest";
import { pythonRandom } from "./python-random.js";

describe("pythonRandom()", () => {
  it("draws as CPython's random.Random(seed).sample(range(size), count)", () => {
    const random = pythonRandom(1234);
    expect(random.sample(7473, 5)).toEqual([6374, 3610, 957, 61, 742]);
    expect(random.sample(7473, 5)).toEqual([7462, 6610, 4769, 286, 5501]);
    expect(random.sample(30, 6)).toEqual([22, 2, 3, 24, 11, 7]);
    expect(random.sample(10, 3)).toEqual([0, 9, 8]);
    expect(random.sample(100, 7)).toEqual([44, 82, 79, 61, 78, 59, 19]);
    expect(random.sample(5, 5)).toEqual([0, 1, 2, 4, 3]);
    expect(pythonRandom(7).sample(1000, 3)).toEqual([331, 970, 154]);
  });

  it("does not draw more than there are", () => {
    expect(() => pythonRandom(1).sample(2, 3)).toThrow(RangeError);
  });
});
