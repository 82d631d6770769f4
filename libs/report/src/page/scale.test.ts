import { describe, expect, it } from "vitest";
import { createScale, formatTick } from "./scale.js";

const range: [number, number] = [0, 100];

describe("createScale()", () => {
  const cases: [string, number[]][] = [
    ["no values", []],
    ["one value", [3]],
    ["one zero", [0]],
    ["equal values", [0.25, 0.25, 0.25]],
    ["only NaN", [NaN, Infinity, -Infinity]],
    ["NaN among values", [1, NaN, 5]],
    ["tiny differences", [1, 1 + 1e-9]],
    ["huge values", [1e12, -3e12]],
    ["negative values", [-0.3, -0.1]],
  ];
  for (const [name, values] of cases) {
    it(`is finite and increasing for ${name}`, () => {
      const { domain, ticks, toPixel } = createScale(values, { range });
      expect(domain[1]).toBeGreaterThan(domain[0]);
      expect(ticks.length).toBeGreaterThan(0);
      expect(ticks.length).toBeLessThan(14);
      for (const value of values.filter(Number.isFinite)) {
        expect(toPixel(value)).toBeGreaterThanOrEqual(-1e-6);
        expect(toPixel(value)).toBeLessThanOrEqual(100 + 1e-6);
      }
    });
  }

  it("ends at round numbers and maps the ends to the range", () => {
    const { domain, ticks, toPixel } = createScale([0.3, 9.7], { range: [200, 0] });
    expect(domain).toEqual([0, 10]);
    expect(ticks).toEqual([0, 2, 4, 6, 8, 10]);
    expect([toPixel(0), toPixel(5), toPixel(10)]).toEqual([200, 100, 0]);
  });

  it("takes values that differ by rounding for a flat line in the middle", () => {
    const { domain, toPixel } = createScale([0.2, 0.2 + 3e-17, 0.30000000000000004 - 0.1], {
      range,
    });
    expect(domain[1] - domain[0]).toBeGreaterThan(0.01);
    expect(toPixel(0.2)).toBeCloseTo(50, 6);
  });

  it("keeps fixed ends", () => {
    const { domain } = createScale([0.2, 0.9], { range, min: 0, max: 1 });
    expect(domain).toEqual([0, 1]);
    expect(createScale([0], { range, min: 0 }).domain[1]).toBeGreaterThan(0);
  });
});

describe("formatTick()", () => {
  it("writes numbers as short as they are exact", () => {
    expect([0, 0.25, 1500, 20_000, 3e6, -0.5].map(formatTick)).toEqual([
      "0",
      "0.25",
      "1500",
      "20k",
      "3M",
      "-0.5",
    ]);
  });
});
