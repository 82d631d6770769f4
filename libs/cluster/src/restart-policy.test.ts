import { describe, expect, it } from "vitest";
import { failuresInARow, restartDelayMs } from "./restart-policy.js";

const policy = { initialMs: 100, maxMs: 1000, stableMs: 5000, crashLoopAfter: 3 };

describe("restartDelayMs()", () => {
  it("doubles up to its bound", () => {
    const delays = [1, 2, 3, 4, 5, 50].map((failures) => restartDelayMs(failures, policy));
    expect(delays).toEqual([100, 200, 400, 800, 1000, 1000]);
  });
});

describe("failuresInARow()", () => {
  it("counts on while the process does not last", () => {
    expect(failuresInARow(2, 0, policy)).toBe(3);
    expect(failuresInARow(2, 4999, policy)).toBe(3);
  });

  it("begins again after a stable time", () => {
    expect(failuresInARow(7, 5000, policy)).toBe(1);
  });
});
