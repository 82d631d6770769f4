import { describe, expect, it } from "vitest";
import { createRateMeter } from "./rate.js";

describe("createRateMeter()", () => {
  it("knows nothing from one value", () => {
    const meter = createRateMeter(1000);
    expect(meter.perSecond(0)).toBeUndefined();
    meter.add(5, 0);
    expect(meter.perSecond(0)).toBeUndefined();
  });

  it("looks back over its window only", () => {
    const meter = createRateMeter(1000);
    for (const [value, atMs] of [
      [0, 0],
      [100, 1000],
      [110, 2000],
    ] as const) {
      meter.add(value, atMs);
    }
    expect(meter.perSecond(2000)).toBe(10);
  });

  it("starts afresh when the counter does", () => {
    const meter = createRateMeter(10_000);
    meter.add(500, 0);
    meter.add(0, 1000);
    expect(meter.perSecond(1000)).toBeUndefined();
    meter.add(4, 3000);
    expect(meter.perSecond(3000)).toBe(2);
  });

  it("is absent, not frozen, when nobody counts any more", () => {
    const meter = createRateMeter(10_000);
    meter.add(0, 0);
    meter.add(100, 1000);
    expect(meter.perSecond(3000)).toBe(100);
    expect(meter.perSecond(5000)).toBeUndefined();
  });
});
