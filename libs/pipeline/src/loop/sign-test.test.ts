import { createRandom } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import { signTest } from "./sign-test.js";

const cases = (wins: number, losses: number, ties = 0) => [
  ...Array.from({ length: wins }, () => 1),
  ...Array.from({ length: losses }, () => -2),
  ...Array.from({ length: ties }, () => 0),
];

describe("signTest()", () => {
  it("gives the binomial's tail, worked out by hand", () => {
    expect(signTest(cases(5, 0))).toEqual({ wins: 5, trials: 5, p: 1 / 32 });
    expect(signTest(cases(9, 1)).p).toBeCloseTo(11 / 1024, 12);
    expect(signTest(cases(2, 1)).p).toBeCloseTo(4 / 8, 12);
    expect(signTest(cases(0, 3)).p).toBeCloseTo(1, 12);
  });

  it("leaves ties out and says nothing without a difference", () => {
    expect(signTest(cases(5, 0, 40))).toEqual(signTest(cases(5, 0)));
    expect(signTest(cases(0, 0, 7))).toEqual({ wins: 0, trials: 0, p: 1 });
  });

  it("stays exact for thousands of cases", () => {
    expect(signTest(cases(2000, 2000)).p).toBeCloseTo(0.5063, 4);
    expect(signTest(cases(2100, 1900)).p).toBeCloseTo(8.246e-4, 6);
  });

  it("finds a difference where there is none in at most 5 of 100 comparisons", () => {
    const random = createRandom(11);
    const compare = () => Array.from({ length: 40 }, () => (random.nextFloat() < 0.5 ? 1 : -1));
    const found = Array.from({ length: 2000 }, compare).filter((all) => signTest(all).p < 0.05);
    expect(found.length / 2000).toBeLessThan(0.05);
    expect(found.length / 2000).toBeGreaterThan(0.02);
  });
});
