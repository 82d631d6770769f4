import { StagecraftError, type ErrorCode } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import { settlementFor } from "./settlement.js";

const settled = (code: ErrorCode, delivery: number) =>
  settlementFor(new StagecraftError(code, "because"), delivery, 0).kind;

describe("settlementFor()", () => {
  it("gives up at once what no repeat can mend", () => {
    expect(settled("invalid_argument", 1)).toBe("term");
  });

  it("case E: tries what nobody knows 5 times, and infrastructure again and again", () => {
    const deliveries = [1, 4, 5, 9];
    expect(deliveries.map((n) => settled("internal", n))).toEqual(["nak", "nak", "term", "term"]);
    for (const code of ["unavailable", "deadline_exceeded", "resource_exhausted"] as const) {
      expect(deliveries.map((n) => settled(code, n))).toEqual(["nak", "nak", "nak", "nak"]);
    }
  });
});
