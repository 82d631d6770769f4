import { describe, expect, it } from "vitest";
import { compare, readLosses } from "./curve.mjs";

describe("compare()", () => {
  it("finds the largest difference and its step", () => {
    const { largest, step, table } = compare([4, 3, 2], [4, 3.5, 2.25], "xla");
    expect([largest, step]).toEqual([0.5, 2]);
    expect(table.split("\n")).toHaveLength(4);
    expect(table).toMatch(/^ +2 +3\.000000 +3\.500000 +5\.0e-1$/m);
  });

  it("does not lose a NaN", () => {
    expect(compare([4, 3, 2], [4, NaN, 9], "xla")).toMatchObject({ largest: NaN, step: 2 });
  });

  it("refuses curves of different length, and empty ones", () => {
    expect(() => compare([1, 2], [1], "xla")).toThrow("2 steps on native, 1 on xla");
    expect(() => compare([], [], "xla")).toThrow("0 steps");
  });
});

describe("readLosses()", () => {
  it("takes the training records of a metrics file", () => {
    const text = '{"kind":"train","loss":3}\n{"kind":"eval","loss":9}\n{"kind":"train","loss":2}\n';
    expect(readLosses(text)).toEqual([3, 2]);
  });
});
