import { describe, expect, it } from "vitest";
import { ensembleReport } from "./ensemble-report.js";

describe("ensembleReport()", () => {
  it("worked by hand: members, their spread, and errors where they disagree", () => {
    // Three prompts of two answers; the first answer is the better one throughout.
    const rankings = [1, 2, 3].map(() => ({ ranks: [1, 2], lengths: [3, 3] }));
    const members = [
      [2, 0, 1, 0, 0, 1.5],
      [2, 0, 3, 0, 1, 0],
    ];
    const report = ensembleReport(members, rankings);
    expect(report.memberAccuracies).toEqual([2 / 3, 1]);
    // Spreads of the six answers: 0, 0, 1, 0, .5, .75.
    expect(report.disagreement).toBeCloseTo(2.25 / 6, 12);
    // Margins 2|2 → mean 2, std 0; 1|3 → 2, 1; −1.5|1 → −.25, 1.25.
    expect(report.byDisagreement.map(({ accuracy }) => accuracy)).toEqual([1, 1, 0]);
    const centers = report.byDisagreement.map(({ center }) => center);
    [0, 1 / 3, 1.25 / 1.5].forEach((center, i) => expect(centers[i]).toBeCloseTo(center, 12));
  });
});
