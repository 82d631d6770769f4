import { describe, expect, it } from "vitest";
import { goldPairs, kendallW, krippendorffAlpha, meanRanks, ordinalAlpha } from "./agreement.js";

describe("meanRanks()", () => {
  it("gives ties the mean of their places, whatever numbers stand for them", () => {
    expect(meanRanks([1, 1, 3])).toEqual([1.5, 1.5, 3]);
    expect(meanRanks([1, 1, 2])).toEqual([1.5, 1.5, 3]);
    expect(meanRanks([2, 2, 2])).toEqual([2, 2, 2]);
  });
});

describe("kendallW()", () => {
  it("is 1 for the same order, 0 for opposite ones of two people", () => {
    expect(kendallW([[1, 2, 3], [1, 2, 3]])).toBe(1); // prettier-ignore
    expect(kendallW([[1, 2, 3], [3, 2, 1]])).toBe(0); // prettier-ignore
  });

  it("agrees with a hand-worked case: sums 3, 8, 7 of three people", () => {
    // Whatever numbers stand for them, the ranks are 1,3,2 · 1,2,3 · 1,3,2; S = 9 + 4 + 1 = 14.
    const rows = [[1, 3, 2], [2, 3, 4], [2, 4, 3]]; // prettier-ignore
    expect(kendallW(rows)).toBeCloseTo((12 * 14) / (3 ** 2 * (3 ** 3 - 3)), 12);
  });

  it("corrects for ties: people who tie alike agree fully", () => {
    expect(kendallW([[1, 1, 2], [1, 1, 2]])).toBe(1); // prettier-ignore
  });

  it("says nothing of one person, or of ties alone", () => {
    expect(kendallW([[1, 2]])).toBeNull();
    expect(kendallW([[1, 1], [1, 1]])).toBeNull(); // prettier-ignore
  });
});

describe("krippendorffAlpha()", () => {
  it("is 1 for full agreement and below 0 for opposite orders", () => {
    expect(krippendorffAlpha([[[1, 2, 3], [1, 2, 3]]])).toBe(1); // prettier-ignore
    expect(krippendorffAlpha([[[1, 2], [2, 1]]])).toBeLessThan(0); // prettier-ignore
  });

  it("agrees with Krippendorff's own example of ordinal data (α = 0.815)", () => {
    // Computing Krippendorff's Alpha-Reliability (2011), example C; a missing value is left out.
    const units = [
      [1, 1, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4],
      [4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [5, 5, 5], [1, 1],
    ]; // prettier-ignore
    expect(ordinalAlpha(units)).toBeCloseTo(0.815, 3);
  });

  it("says nothing where nobody was joined by another, or all say the same of everything", () => {
    expect(krippendorffAlpha([[[1, 2]]])).toBeNull();
    expect(krippendorffAlpha([[[1, 1], [1, 1]]])).toBeNull(); // prettier-ignore
  });
});

describe("goldPairs()", () => {
  it("counts pairs with a right order only, a tie as half right", () => {
    expect(goldPairs([1, 2, 2], [1, 1, 3])).toEqual({ right: 1.5, pairs: 2 });
  });
});
