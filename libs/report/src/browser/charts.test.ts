import { describe, expect, it } from "vitest";
import { alignedData, isolated, runningMean, zoomedBy } from "./charts.js";

describe("curves in the browser", () => {
  it("lines measured at different steps share an x; not measured is undefined, a gap is null", () => {
    const lines = [
      { x: [1, 2, 3], y: [1, null, 3] },
      { x: [0, 3], y: [5, 6] },
    ];
    expect(alignedData(lines)).toEqual([
      [0, 1, 2, 3],
      [undefined, 1, null, 3],
      [5, undefined, undefined, 6],
    ]);
  });

  it("smoothing keeps gaps and averages over none", () => {
    expect(runningMean([1, 3, null, 10, 20], 1)).toEqual([2, 2, null, 15, 15]);
  });

  it("a point between two gaps gets a dot, as no line shows it", () => {
    expect(isolated([1, null, 2, undefined, null, 3, undefined, 4])).toEqual([0, 2]);
  });

  it("keys look closer, move and show all", () => {
    const all = { min: 0, max: 100 };
    expect(zoomedBy("+", all, all)).toEqual({ min: 25, max: 75 });
    expect(zoomedBy("-", { min: 25, max: 75 }, all)).toBeUndefined();
    expect(zoomedBy("ArrowRight", { min: 60, max: 100 }, all)).toEqual({ min: 60, max: 100 });
    expect(zoomedBy("ArrowLeft", { min: 40, max: 80 }, all)).toEqual({ min: 30, max: 70 });
    expect(zoomedBy("a", all, all)).toBeNull();
  });
});
