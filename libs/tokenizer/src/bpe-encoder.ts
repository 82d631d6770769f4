import type { BpeAlphabet } from "./bpe-alphabet.js";
import { applyMerges, type MergeRules } from "./bpe-merges.js";
import { IntBuffer } from "./int-buffer.js";
import { detached } from "./text-pieces.js";

export interface BpeEncoderOptions {
  alphabet: BpeAlphabet;
  rules: MergeRules;
  /** Ids of whole pieces that skip the merges (Llama 3's `ignore_merges`). */
  wholeId?: (spelling: string) => number | undefined;
}

/** The cache is dropped at this many pieces; results never depend on it. */
const MAX_CACHED_PIECES = 1 << 18;
const MAX_CACHED_CHARS = 64;

/** Encodes pieces by merging, remembering the ids of those it has seen. */
export class BpeEncoder {
  /** A single id as itself; else −1 − offset into the pool, where the length precedes the ids. */
  private readonly cache = new Map<string, number>();
  private readonly pool = new IntBuffer(1 << 12);
  private symbols = new IntBuffer();

  constructor(private readonly options: BpeEncoderOptions) {}

  /** Bytes that are no text, merged as one piece. */
  encodeRaw(bytes: Uint8Array, out: IntBuffer): void {
    this.mergeInto(out, (symbols) => this.options.alphabet.rawInto(bytes, symbols));
  }

  encodePiece(piece: string, out: IntBuffer): void {
    const cached = this.cache.get(piece);
    if (cached === undefined) return this.missInto(piece, out);
    if (cached >= 0) return out.push(cached);
    const offset = -1 - cached;
    out.pushRange(this.pool.raw, offset + 1, offset + 1 + this.pool.at(offset));
  }

  private missInto(piece: string, out: IntBuffer): void {
    const { alphabet, wholeId } = this.options;
    const start = out.length;
    const whole = wholeId?.(alphabet.spellingOf(piece));
    if (whole !== undefined) out.push(whole);
    else this.mergeInto(out, (symbols) => alphabet.symbolsInto(piece, symbols));
    if (piece.length <= MAX_CACHED_CHARS) this.remember(detached(piece), out, start);
  }

  private mergeInto(out: IntBuffer, fill: (symbols: IntBuffer) => void): void {
    const { symbols } = this;
    symbols.clear();
    fill(symbols);
    const length = applyMerges(symbols.raw, symbols.length, this.options.rules);
    out.pushRange(symbols.raw, 0, length);
    if (symbols.raw.length > 1 << 16) this.symbols = new IntBuffer();
  }

  private remember(piece: string, out: IntBuffer, start: number): void {
    if (this.cache.size >= MAX_CACHED_PIECES) {
      this.cache.clear();
      this.pool.clear();
    }
    const count = out.length - start;
    if (count === 1) {
      this.cache.set(piece, out.at(start));
      return;
    }
    this.cache.set(piece, -1 - this.pool.length);
    this.pool.push(count);
    this.pool.pushRange(out.raw, start, out.length);
  }
}
