import { createRandom } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import { diffWords, type DiffPart } from "./diff-words.js";

const textOf = (parts: readonly DiffPart[], without: DiffPart["kind"]) =>
  parts
    .filter(({ kind }) => kind !== without)
    .map(({ text }) => text)
    .join("");

describe("diffWords()", () => {
  it("finds what stayed, went and came", () => {
    expect(diffWords("the cat sat", "the dog sat down")).toEqual([
      { kind: "same", text: "the " },
      { kind: "removed", text: "cat" },
      { kind: "added", text: "dog" },
      { kind: "same", text: " sat" },
      { kind: "added", text: " down" },
    ]);
    expect(diffWords("", "")).toEqual([]);
    expect(diffWords("a", "")).toEqual([{ kind: "removed", text: "a" }]);
  });

  it("always gives both texts back", () => {
    const random = createRandom(3);
    const text = () =>
      Array.from({ length: random.nextInt(30) }, () => "abc \n"[random.nextInt(5)]).join("");
    for (let i = 0; i < 200; i++) {
      const [before, after] = [text(), text()];
      const parts = diffWords(before, after);
      expect(textOf(parts, "added")).toBe(before);
      expect(textOf(parts, "removed")).toBe(after);
    }
  });

  it("replaces texts that are too long to compare", () => {
    const long = "word ".repeat(3000);
    expect(diffWords(long, `${long}more`).map(({ kind }) => kind)).toEqual(["removed", "added"]);
  });
});
