import { describe, expect, it } from "vitest";
import { renderTextTable } from "./text-table.js";

describe("renderTextTable()", () => {
  it("aligns text left and numbers right", () => {
    const table = renderTextTable(
      ["Stage", "Time", "Loss"],
      [
        ["pretrain", "1m 22s", 0.5623],
        ["sft", "51.0s", undefined],
      ],
    );
    expect(table.split("\n")).toEqual([
      "Stage       Time    Loss",
      "────────  ──────  ──────",
      "pretrain  1m 22s  0.5623",
      "sft        51.0s       –",
    ]);
  });

  it("cuts the widest text column to the width and keeps one line per row", () => {
    const table = renderTextTable(["Id", "Answer"], [[1, `long\n${"x".repeat(200)}`]], {
      maxWidth: 40,
    });
    for (const line of table.split("\n")) expect([...line].length).toBeLessThanOrEqual(40);
    expect(table).toContain("…");
  });

  it("draws a table without rows", () => {
    expect(renderTextTable(["A", "B"], [])).toBe("A  B\n─  ─");
  });
});
