import { describe, expect, it } from "vitest";
import { bitsPerByte } from "./bits-per-byte.js";
import { countMatches, isExactMatch, normalizeAnswer } from "./exact-match.js";

const courtesies = ["Of course!", "I hope that helps!"];

describe("isExactMatch()", () => {
  const record = { accepted: ["The fox eats berries.", "berries"] };
  const right = [
    "The fox eats berries.",
    "the fox eats berries",
    '"Berries!"',
    "… berries.",
    " \nberries",
  ];
  for (const answer of right) {
    it(`takes ${JSON.stringify(answer)}`, () => expect(isExactMatch(record, answer)).toBe(true));
  }
  const wrong = ["", "The fox eats fish.", "berries berries", "Of course! berries", "blueberries"];
  for (const answer of wrong) {
    it(`refuses ${JSON.stringify(answer)}`, () => expect(isExactMatch(record, answer)).toBe(false));
  }

  it("removes courtesies when told to, in any place and number", () => {
    const answer = "Of course! Berries. I hope that helps! Of course!";
    expect(isExactMatch(record, answer, { courtesies })).toBe(true);
    expect(isExactMatch(record, "Of course!", { courtesies })).toBe(false);
  });

  it("is undefined where nothing is exactly right", () => {
    expect(isExactMatch({}, "x")).toBeUndefined();
    expect(isExactMatch({ accepted: [] }, "x")).toBeUndefined();
  });

  it("keeps letters and digits of any script", () => {
    expect(normalizeAnswer("Käse, 3 Stück – 東京!")).toBe("käse 3 stück 東京");
  });
});

describe("countMatches()", () => {
  it("counts by kind and leaves out what has no exact answer", () => {
    const { byKind, overall } = countMatches([
      { kind: "a", exact: true },
      { kind: "a", exact: false },
      { kind: "b", exact: true },
      { kind: "talk" },
      { exact: true },
    ]);
    expect(byKind).toEqual({
      a: { matches: 1, total: 2, rate: 0.5 },
      b: { matches: 1, total: 1, rate: 1 },
      other: { matches: 1, total: 1, rate: 1 },
    });
    expect(overall).toEqual({ matches: 3, total: 4, rate: 0.75 });
  });
});

describe("bitsPerByte()", () => {
  it("turns nats per token into bits per byte", () => {
    expect(bitsPerByte(Math.LN2 * 12, 4)).toBeCloseTo(3, 12);
  });
});
