import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { choice, decimal, flag, text, texts, whole } from "./fields.js";

/** Which of the values a field takes. */
function taken(field: z.ZodType, values: readonly unknown[]): unknown[] {
  return values.filter((value) => field.safeParse(value).success);
}

describe("fields", () => {
  it("are required without a default", () => {
    for (const field of [whole(), decimal({ max: 1 }), text(), texts()]) {
      expect(field.safeParse(undefined).success).toBe(false);
    }
  });

  it("have their default where nothing is given", () => {
    const fields = [whole({ default: 3 }), decimal({ above: 0, default: 0.5 }), text("a")];
    expect(fields.map((field) => field.parse(undefined))).toEqual([3, 0.5, "a"]);
    const others = [texts([]), choice(["a", "b"], "b"), flag(true)];
    expect(others.map((field) => field.parse(undefined))).toEqual([[], "b", true]);
  });

  it("keep numbers within both ends, from 0 where nothing else is said", () => {
    const numbers = [-1, 0, 0.5, 1, 2, 3];
    expect(taken(whole(), numbers)).toEqual([0, 1, 2, 3]);
    expect(taken(whole({ min: 1, max: 2 }), numbers)).toEqual([1, 2]);
    expect(taken(decimal({ max: 1 }), numbers)).toEqual([0, 0.5, 1]);
    expect(taken(decimal({ above: 0, max: 1, default: 1 }), numbers)).toEqual([0.5, 1]);
    expect(taken(decimal({ min: -1, max: 0 }), numbers)).toEqual([-1, 0]);
  });

  it("take an empty text only where it is the default", () => {
    expect(taken(text(), ["", "a"])).toEqual(["a"]);
    expect(taken(text("b"), ["", "a"])).toEqual(["a"]);
    expect(taken(text(""), ["", "a"])).toEqual(["", "a"]);
    expect(taken(texts(), [[], [""], ["a"]])).toEqual([["a"]]);
    expect(taken(texts([]), [[], [""], ["a"]])).toEqual([[], ["a"]]);
  });

  it("refuse a word that is no choice", () => {
    expect(taken(choice(["a", "b"], "a"), ["a", "b", "c"])).toEqual(["a", "b"]);
  });
});
