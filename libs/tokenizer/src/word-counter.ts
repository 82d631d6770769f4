import type { PreTokenizer } from "./pre-tokenizer.js";
import { detached, textsAndBytes, piecesOf } from "./text-pieces.js";

/** Above this many distinct words those seen once are forgotten, which bounds memory. */
const MAX_WORDS = 12_000_000;

/** The distinct pre-tokens of a corpus with their frequencies. */
export class WordCounter {
  private words = new Map<string, { count: number }>();
  /** Stretches that are not UTF-8, spelled in Latin-1. */
  private readonly invalid = new Map<string, { count: number }>();

  constructor(private readonly preTokenize: PreTokenizer) {}

  add(text: string | Uint8Array): void {
    if (typeof text === "string") return this.addText(text);
    for (const part of textsAndBytes(text)) {
      if (typeof part === "string") this.addText(part);
      else increment(this.invalid, Buffer.from(part).toString("latin1"));
    }
  }

  private addText(text: string): void {
    for (const pieces of piecesOf(text, this.preTokenize, true)) {
      for (const piece of pieces) increment(this.words, piece);
    }
    if (this.words.size > MAX_WORDS) this.forgetRare();
  }

  /** Every word as bytes with its frequency, in the order first seen. */
  *entries(): Generator<{ bytes: Uint8Array; count: number }> {
    for (const [word, { count }] of this.words) yield { bytes: Buffer.from(word, "utf8"), count };
    for (const [word, { count }] of this.invalid) {
      yield { bytes: Buffer.from(word, "latin1"), count };
    }
  }

  get size(): number {
    return this.words.size + this.invalid.size;
  }

  private forgetRare(): void {
    this.words = new Map([...this.words].filter(([, entry]) => entry.count > 1));
  }
}

function increment(words: Map<string, { count: number }>, word: string): void {
  const entry = words.get(word);
  if (entry) entry.count++;
  else words.set(detached(word), { count: 1 });
}
