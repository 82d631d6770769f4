import { describe, expect, it } from "vitest";
import { barLine, judge } from "./bars.js";

describe("judge()", () => {
  it("passes values inside their limits and nothing that is not a number", () => {
    const bars = [
      { name: "loss", value: 1.886, atMost: 1.9 },
      { name: "loss", value: 1.91, atMost: 1.9 },
      { name: "win rate", value: 0.65, atLeast: 0.65 },
      { name: "KL", value: -1, atLeast: 0, atMost: 10 },
      { name: "loss", value: NaN, atMost: 1.9 },
    ];
    expect(judge(bars).map(({ passed }) => passed)).toEqual([true, false, true, false, false]);
  });

  it("prints the value with its limits", () => {
    const [bar] = judge([{ name: "KL", value: 2.34567, atLeast: 0, atMost: 10 }]);
    expect(barLine(bar!)).toBe("✔ KL: 2.346 (at least 0, at most 10)");
  });
});
