import { StagecraftError } from "@stagecraft/core";
import { unicodeClassBody } from "./unicode-classes.js";

/**
 * Translates a pre-tokenization regex, written for Oniguruma as in tokenizer.json, to a JavaScript
 * regex with flags `gu` and the same matches. Differences that matter: `\s` means Unicode
 * White_Space there (U+0085 yes, U+FEFF no), `\d` any decimal digit, `(?i:…)` folds case (so `s`
 * also matches U+017F), and letters, marks and numbers are those of Unicode 16. Throws `unimplemented` on what it cannot translate.
 */
export function translateRegex(pattern: string): RegExp {
  const source = new Translator(pattern).run();
  try {
    return new RegExp(source, "gu");
  } catch (cause) {
    throw unsupported(pattern, "it is no valid JavaScript regex", cause);
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  s: "\\p{White_Space}",
  S: "\\P{White_Space}",
  d: "\\p{Nd}",
  D: "\\P{Nd}",
};
const KEPT_ESCAPES = new Set([..."rntfv0^$\\.*+?()[]{}|/"]);
const FOLDED: Readonly<Record<string, string>> = { s: "\u017f", k: "\u212a" };

class Translator {
  private position = 0;
  private inClass = false;
  private foldDepth = 0;
  private depth = 0;
  private output = "";

  constructor(private readonly pattern: string) {}

  run(): string {
    while (this.position < this.pattern.length) this.step(this.pattern[this.position]!);
    return this.output;
  }

  private step(char: string): void {
    if (char === "\\") return this.escape();
    if (this.inClass) return this.insideClass(char);
    if (this.pattern.startsWith("(?i:", this.position)) return this.openFolding();
    if (char === "[") this.inClass = true;
    if (char === "(") this.depth++;
    if (char === ")" && this.depth-- === this.foldDepth) this.foldDepth = 0;
    if (char === "+" && /[+*?]$/.test(this.output) && !/\\.$/.test(this.output)) {
      throw unsupported(this.pattern, "possessive quantifiers are not supported");
    }
    this.emit(this.foldDepth > 0 ? this.folded(char) : char, 1);
  }

  private insideClass(char: string): void {
    if (char === "]") this.inClass = false;
    if (char === "[" || this.pattern.startsWith("&&", this.position)) {
      throw unsupported(this.pattern, "nested character classes are not supported");
    }
    if (this.foldDepth > 0 && /\p{L}/u.test(char)) {
      throw unsupported(this.pattern, "a character class inside (?i:…) is not supported");
    }
    this.emit(char, 1);
  }

  private escape(): void {
    const char = this.pattern[this.position + 1] ?? "";
    const property = /^\\([pP])\{(\^?)(\w+)\}/.exec(this.pattern.slice(this.position));
    if (property) return this.property(property);
    const code = /^\\(?:x\{([0-9a-fA-F]+)\}|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))/.exec(
      this.pattern.slice(this.position),
    );
    if (code) return this.emit(`\\u{${code[1] ?? code[2] ?? code[3]}}`, code[0].length);
    const known = ESCAPES[char] ?? (KEPT_ESCAPES.has(char) ? `\\${char}` : undefined);
    if (known !== undefined) return this.emit(known, 2);
    if (/[A-Za-z0-9]/.test(char) || char === "") {
      throw unsupported(this.pattern, `the escape \\${char} is not supported`);
    }
    this.emit(this.inClass && char === "-" ? "\\-" : char, 2);
  }

  private property([whole, letter, caret, name]: RegExpExecArray): void {
    const negated = (letter === "P") !== (caret === "^");
    const body = unicodeClassBody(name!, negated);
    const native = `\\${negated ? "P" : "p"}{${name}}`;
    this.emit(body === undefined ? native : this.inClass ? body : `[${body}]`, whole.length);
  }

  private openFolding(): void {
    this.depth++;
    if (this.foldDepth === 0) this.foldDepth = this.depth;
    this.emit("(?:", 4);
  }

  private folded(char: string): string {
    const lower = char.toLowerCase();
    const upper = char.toUpperCase();
    return lower === upper ? char : `[${lower}${upper}${FOLDED[lower] ?? ""}]`;
  }

  private emit(text: string, consumed: number): void {
    this.output += text;
    this.position += consumed;
  }
}

function unsupported(pattern: string, reason: string, cause?: unknown): StagecraftError {
  return new StagecraftError(
    "unimplemented",
    `the pre-tokenization regex ${JSON.stringify(pattern)} cannot be used: ${reason}`,
    { cause, details: { pattern } },
  );
}
