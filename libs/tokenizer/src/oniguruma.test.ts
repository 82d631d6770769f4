import { describe, expect, it } from "vitest";
import { translateRegex } from "./oniguruma.js";

describe("translateRegex()", () => {
  for (const [pattern, text, matches] of [
    ["\\s+", "a\u0085\u00a0b\ufeff", ["\u0085\u00a0"]],
    ["[^\\s]+", "a \ufeff", ["a", "\ufeff"]],
    ["(?i:'s|'k)", "'S'\u017f'\u212a's'x", ["'S", "'\u017f", "'\u212a", "'s"]],
    ["(?i:(?:ab)c)d", "ABCd abcD", ["ABCd"]],
    ["\\p{N}{1,3}", "12345", ["123", "45"]],
    ["[\\p{^L}]+", "a12b", ["12"]],
    ["\\P{L}+", "a12b", ["12"]],
    ["\\d\\-\\'", "٣-'", ["٣-'"]],
    ["[一-龥]+", "a中文b", ["中文"]],
    ["\\x{41}\\x42", "AB", ["AB"]],
    ["a\\++?", "a++", ["a+"]],
  ] as const) {
    it(`matches ${pattern} as Oniguruma does`, () => {
      expect(text.match(translateRegex(pattern))).toEqual(matches);
    });
  }

  it("counts characters newer than Unicode 16 as unassigned, whatever Node says", () => {
    expect("\u088f\ua7ce".match(translateRegex("\\p{L}"))).toBeNull();
    expect("\u088f".match(translateRegex("[^\\p{L}]"))).toEqual(["\u088f"]);
  });

  for (const pattern of ["a++", "\\p{L}?+", "\\w+", "[a&&b]", "(?i:[a-z])", "(", "\\Gx"]) {
    it(`refuses ${pattern}`, () => {
      expect(() => translateRegex(pattern)).toThrow("[unimplemented] the pre-tokenization regex");
    });
  }
});
