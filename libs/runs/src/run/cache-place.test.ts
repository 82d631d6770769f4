import { describe, expect, it } from "vitest";
import { inputChanges } from "./input-hashes.js";

describe("inputChanges()", () => {
  const file = "part-0123456789abcdef/a.jsonl";

  it("tells of a change in either of two folders that are called like one of the cache of models", () => {
    const before = { [`train/${file}`]: "1", [`more/${file}`]: "2" };
    expect(inputChanges(before, { ...before, [`train/${file}`]: "3" })).toEqual([
      `train/${file} has changed`,
    ]);
    expect(inputChanges(before, { ...before, [`more/${file}`]: "3" })).toEqual([
      `more/${file} has changed`,
    ]);
  });

  it("takes a folder of the cache for the same wherever it lies", () => {
    expect(inputChanges({ [`/a/${file}`]: "1" }, { [`/b/${file}`]: "1" })).toEqual([]);
    expect(inputChanges({ [`/a/${file}`]: "1" }, { [`/b/${file}`]: "2" })).toEqual([
      `${file} has changed`,
    ]);
  });
});
