import { describe, expect, it } from "vitest";
import { mayAdmit } from "./staleness-gate.js";

/** How many answers are admitted before the gate closes. */
function admittedAt(version: number, maxStaleness: number, batchSize: number): number {
  let numAdmitted = 0;
  while (mayAdmit({ numAdmitted, batchSize, version, maxStaleness })) numAdmitted++;
  return numAdmitted;
}

describe("mayAdmit()", () => {
  it("admits η + 1 batches ahead of the version, to the answer", () => {
    expect(admittedAt(0, 0, 8)).toBe(8);
    expect(admittedAt(0, 4, 8)).toBe(40);
    expect(admittedAt(7, 0, 8)).toBe(64);
    expect(admittedAt(7, 2, 5)).toBe(50);
  });
});
