import { describe, expect, it } from "vitest";
import { translateRegex } from "./oniguruma.js";
import { compilePreTokenizer, DEFAULT_PATTERN, GPT2_PATTERN } from "./pre-tokenizer.js";
import { refuseBacktracking } from "./regex-safety.js";

describe("refuseBacktracking()", () => {
  for (const pattern of ["(a+)+$", "(\\s+)+\\S", "a*a*a*a*b", "(?:\\p{L}|x)*1", "(?:a|aa)+$"]) {
    it(`refuses ${pattern}`, () => {
      const read = () => refuseBacktracking(pattern, translateRegex(pattern), 200);
      expect(read).toThrow("so a text could take minutes");
    });
  }

  it("is asked of what a tokenizer.json says", () => {
    const split = { type: "Split", pattern: { Regex: "(a+)+$" }, behavior: "Isolated" };
    const json = { type: "Sequence", pretokenizers: [split, { type: "ByteLevel" }] };
    expect(() => compilePreTokenizer(json)).toThrow("is refused");
  });

  it("takes the expressions that models come with", () => {
    for (const pattern of [GPT2_PATTERN, DEFAULT_PATTERN, "\\p{N}+", "[\\r\\n]", " "]) {
      refuseBacktracking(pattern, translateRegex(pattern));
    }
  });
});
