import { describe, expect, it } from "vitest";
import { summarize } from "./summary.mjs";

const file = (status: string, ...statuses: string[]) => ({
  status,
  assertionResults: statuses.map((each) => ({ status: each })),
});

describe("summarize()", () => {
  it("counts assertions, leaving skipped ones out", () => {
    const testResults = [file("passed", "passed", "skipped"), file("failed", "failed", "passed")];
    expect(summarize({ testResults })).toEqual({ passed: 2, failed: 1 });
  });

  it("counts a file that broke before or after its tests as one failure", () => {
    const testResults = [file("failed"), file("failed", "passed")];
    expect(summarize({ testResults })).toEqual({ passed: 1, failed: 2 });
  });
});
