import { describe, expect, it } from "vitest";
import { createRateMeter } from "./rate.js";

describe("createRateMeter()", () => {
  it("knows nothing from one value", () => {
    const meter = createRateMeter(1000);
    expect(meter.perSecond()).toBeUndefined();
    meter.add(5, 0);
    expect(meter.perSecond()).toBeUndefined();
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
    expect(meter.perSecond()).toBe(10);
  });

  it("starts afresh when the counter does", () => {
    const meter = createRateMeter(10_000);
    meter.add(500, 0);
    meter.add(0, 1000);
    expect(meter.perSecond()).toBeUndefined();
    meter.add(4, 3000);
    expect(meter.perSecond()).toBe(2);
  });
});
