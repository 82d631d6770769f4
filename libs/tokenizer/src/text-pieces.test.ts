import { createRandom } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import { DEFAULT_PATTERN, GPT2_PATTERN, splitByPattern } from "./pre-tokenizer.js";
import { lastSafeCut, piecesOf, textsAndBytes } from "./text-pieces.js";

describe("lastSafeCut()", () => {
  it("never changes how a text is split", () => {
    const random = createRandom("cuts");
    const split = [splitByPattern(DEFAULT_PATTERN), splitByPattern(GPT2_PATTERN)];
    let moved = 0;
    for (let round = 0; round < 2000; round++) {
      const text = Array.from({ length: 40 }, () => random.pick([..."a1!\n  '\r/é\u0301s"])).join(
        "",
      );
      const cut = lastSafeCut(text);
      if (cut === text.length) continue; // no safe place in it
      moved++;
      for (const pieces of split) {
        expect([...pieces(text.slice(0, cut)), ...pieces(text.slice(cut))]).toEqual(pieces(text));
      }
    }
    expect(moved).toBeGreaterThan(1000);
  });

  it("does not cut a surrogate pair", () => {
    expect(lastSafeCut("👋👋".slice(0, 3))).toBe(2);
  });
});

describe("piecesOf()", () => {
  it("gives in windows the pieces of the whole text", () => {
    const random = createRandom("windows");
    const parts = ["word", " ", "\n", "    ", "1234567", "'s", "!!\n", "\t", "日本", "0x1f,\n   "];
    for (const pattern of [DEFAULT_PATTERN, GPT2_PATTERN]) {
      const split = splitByPattern(pattern);
      const text = Array.from({ length: 200_000 }, () => random.pick(parts)).join("");
      const windows = [...piecesOf(text, split, true)];
      expect(windows.length).toBeGreaterThan(5);
      expect(windows.flat().join("\u0000") === split(text).join("\u0000")).toBe(true);
    }
  });

  it("widens the window for one endless word", () => {
    const text = `${"x".repeat(300_000)} y`;
    expect([...piecesOf(text, splitByPattern(DEFAULT_PATTERN), true)].flat().length).toBe(2);
  });
});

describe("textsAndBytes()", () => {
  it("separates valid from invalid UTF-8, by the standard's table", () => {
    const bytes = Buffer.from([0x61, 0xc0, 0x80, 0xc3, 0xa9, 0xed, 0xa0, 0x80, 0xf4, 0x90, 0x62]);
    expect([...textsAndBytes(bytes)]).toEqual([
      "a",
      Buffer.from([0xc0, 0x80]),
      "é",
      Buffer.from([0xed, 0xa0, 0x80, 0xf4, 0x90]),
      "b",
    ]);
  });
});
