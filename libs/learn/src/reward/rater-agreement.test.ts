import { describe, expect, it } from "vitest";
import { createRandom } from "@stagecraft/core";
import type { Ranking } from "@stagecraft/data";
import { ordinalAlpha, raterAgreement } from "./rater-agreement.js";

const ranking = (rater: string | undefined, answers: string[], ranks: number[]): Ranking => ({
  prompt: [{ role: "user", content: "say" }],
  answers,
  ranks,
  ...(rater === undefined ? {} : { rater }),
});

describe("ordinalAlpha()", () => {
  it("meets Krippendorff's example of four observers and twelve units: .815", () => {
    const x = NaN; // not rated
    const observers = [
      [1, 2, 3, 3, 2, 1, 4, 1, 2, x, x, x],
      [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, x, 3],
      [x, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, x],
      [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, x],
    ];
    const units = observers[0]!.map((_, unit) =>
      observers.map((row) => row[unit]!).filter((value) => !Number.isNaN(value)),
    );
    expect(ordinalAlpha(units)).toBeCloseTo(0.815, 3);
  });

  it("is 1 for equal values and near 0 for raters who draw lots", () => {
    expect(
      ordinalAlpha([
        [1, 1],
        [2, 2],
        [3, 3],
      ]),
    ).toBe(1);
    const random = createRandom("lots");
    const lots = Array.from({ length: 4000 }, () => [random.nextInt(4), random.nextInt(4)]);
    expect(Math.abs(ordinalAlpha(lots))).toBeLessThan(0.05);
  });
});

describe("raterAgreement()", () => {
  it("compares the same answers in whatever order they were shown", () => {
    const found = raterAgreement([
      ranking("ann", ["x", "y", "z"], [1, 2, 3]),
      ranking("bob", ["z", "x", "y"], [2, 1, 3]), // disagrees about y and z only
      ranking("cy", ["x", "w", "z"], [1, 2, 3]), // other answers: no company
    ])!;
    expect(found).toMatchObject({ numPrompts: 1, numRaters: 2, numPairs: 3 });
    expect(found.pairAgreement).toBeCloseTo(2 / 3, 12);
  });

  it("leaves ties out of the pairs and takes a rater's last word", () => {
    const found = raterAgreement([
      ranking("ann", ["x", "y"], [2, 1]),
      ranking("ann", ["x", "y"], [1, 2]),
      ranking("bob", ["x", "y"], [1, 1]),
      ranking(undefined, ["x", "y"], [1, 2]),
    ])!;
    expect(found).toMatchObject({ numRaters: 3, numPairs: 1, pairAgreement: 1 });
  });

  it("is undefined where nobody ranked twice", () => {
    expect(raterAgreement([ranking("ann", ["x", "y"], [1, 2])])).toBeUndefined();
  });
});
