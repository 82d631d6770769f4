import { describe, expect, it } from "vitest";
import { formatBytes, formatCount, formatDuration } from "./format.js";

describe("formatting", () => {
  it("keeps three significant digits of counts", () => {
    expect([0, 7, 0.5, 999, 1000, 12_345, 2_500_000, -1500].map(formatCount)).toEqual([
      "0",
      "7",
      "0.50",
      "999",
      "1.00k",
      "12.3k",
      "2.50M",
      "-1.50k",
    ]);
  });
  it("uses binary units for bytes", () => {
    expect([512, 1536, 1024 ** 3].map(formatBytes)).toEqual(["512 B", "1.50 KiB", "1.00 GiB"]);
  });
  it("reads durations as a person would", () => {
    expect([850, 12_340, 59_960, 245_000, 7_380_000, Infinity].map(formatDuration)).toEqual([
      "850ms",
      "12.3s",
      "1m 00s",
      "4m 05s",
      "2h 03m",
      "–",
    ]);
  });
});
