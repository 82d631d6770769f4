import { describe, expect, it } from "vitest";
import { terminalText } from "./terminal-text.js";

const ATTACKS = [
  ["a title", "\x1b]0;owned\x07", "\\u001b]0;owned\\u0007"],
  ["a cleared screen", "\x1b[2J", "\\u001b[2J"],
  ["hidden text", "\x1b[8m", "\\u001b[8m"],
  ["an 8-bit sequence", "\x9b2J", "\\u009b2J"],
  ["an overwritten line", "failed\rpassed", "failed\\u000dpassed"],
  ["erased characters", "ab\b\x7f", "ab\\u0008\\u007f"],
  ["turned text", "\u202egnp.exe", "\\u202egnp.exe"],
] as const;

describe("terminalText()", () => {
  for (const [name, attack, shown] of ATTACKS) {
    it(`shows ${name} without effect`, () => {
      expect(terminalText(attack)).toBe(shown);
      expect(terminalText(attack, { keepColours: true })).toBe(shown);
    });
  }

  it("leaves text in any language, line ends and tabs alone", () => {
    const text = "Grüße\tこんにちは 👩‍👩‍👧 مرحبا\n";
    expect(terminalText(text)).toBe(text);
    expect(terminalText("a\r\nb")).toBe("a\nb");
  });

  it("keeps plain colours only where it is told to", () => {
    const text = "\x1b[31mred\x1b[39m";
    expect(terminalText(text, { keepColours: true })).toBe(text);
    expect(terminalText(text)).not.toContain("\x1b");
  });

  it("does not change the value of a line of JSON", () => {
    const value = { text: ATTACKS.map(([, attack]) => attack).join("") };
    expect(JSON.parse(terminalText(JSON.stringify(value)))).toEqual(value);
  });
});
