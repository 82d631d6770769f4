import { describe, expect, it } from "vitest";
import { trainCharTokenizer } from "./train-char-tokenizer.js";

describe("character tokenizer", () => {
  it("has only the characters, in code point order, without specials", async () => {
    const tokenizer = await trainCharTokenizer(["ba", "c\n", "👋"], { specialTokens: [] });
    expect(tokenizer.vocabSize).toBe(5);
    expect([...tokenizer.encode("\nabc👋")]).toEqual([0, 1, 2, 3, 4]);
    expect(Object.values(tokenizer.specials).every((id) => id === undefined)).toBe(true);
  });

  it("names an unknown character and its place", async () => {
    const tokenizer = await trainCharTokenizer(["abc"]);
    expect(() => tokenizer.encode("abé")).toThrow('the character "é" (U+00E9) at position 2');
    expect(() => tokenizer.encodeBytes(Uint8Array.of(0xff))).toThrow("not UTF-8");
  });

  it("puts specials first", async () => {
    const tokenizer = await trainCharTokenizer(["ab"]);
    expect(tokenizer.vocabSize).toBe(8);
    expect(tokenizer.specials).toEqual({
      pad: 0,
      bos: 1,
      eos: 2,
      system: 3,
      user: 4,
      assistant: 5,
    });
  });

  for (const specialTokens of [["x"], ["<0x41>"], ["<a>", "<a>"]]) {
    it(`refuses the special tokens ${JSON.stringify(specialTokens)}`, async () => {
      await expect(trainCharTokenizer(["a"], { specialTokens })).rejects.toThrow("specialTokens");
    });
  }
});
