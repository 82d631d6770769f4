import { applyMerges, type MergeRules } from "./bpe-merges.js";
import { IntBuffer } from "./int-buffer.js";
import type { PreTokenizer } from "./pre-tokenizer.js";
import { detached, piecesOf } from "./text-pieces.js";

export interface BpeEncoderOptions {
  preTokenize: PreTokenizer;
  /** Whether `piecesOf` may work in windows: one regex without lookbehind. */
  inWindows: boolean;
  /** Id of each byte value [256]. */
  byteIds: Int32Array;
  rules: MergeRules;
  /** Whole pieces that are tokens skip the merges (Llama 3's `ignore_merges`). */
  wholePieces?: ReadonlyMap<string, number>;
}

/** The cache is dropped at this many pieces; results never depend on it. */
const MAX_CACHED_PIECES = 1 << 18;
const MAX_CACHED_CHARS = 64;

/** Encodes text with byte-level BPE, remembering the ids of pieces it has seen. */
export class BpeEncoder {
  /** A single id as itself; else −1 − offset into the pool, where the length precedes the ids. */
  private readonly cache = new Map<string, number>();
  private readonly pool = new IntBuffer(1 << 12);
  private scratch = new Int32Array(256);

  constructor(private readonly options: BpeEncoderOptions) {}

  /** Bytes that are no text, merged as one piece. */
  encodeRaw(bytes: Uint8Array, out: IntBuffer): void {
    this.mergeInto(bytes, bytes.length, out);
  }

  encodeInto(text: string, out: IntBuffer): void {
    const { preTokenize, inWindows } = this.options;
    for (const pieces of piecesOf(text, preTokenize, inWindows)) {
      for (const piece of pieces) this.pieceInto(piece, out);
    }
  }

  private pieceInto(piece: string, out: IntBuffer): void {
    const cached = this.cache.get(piece);
    if (cached === undefined) return this.missInto(piece, out);
    if (cached >= 0) return out.push(cached);
    const offset = -1 - cached;
    out.pushRange(this.pool.raw, offset + 1, offset + 1 + this.pool.at(offset));
  }

  private missInto(piece: string, out: IntBuffer): void {
    const start = out.length;
    const whole = this.options.wholePieces?.get(piece);
    if (whole !== undefined) out.push(whole);
    else {
      const bytes = Buffer.from(piece, "utf8");
      this.mergeInto(bytes, bytes.length, out);
    }
    if (piece.length <= MAX_CACHED_CHARS) this.remember(detached(piece), out, start);
  }

  private mergeInto(bytes: Uint8Array, length: number, out: IntBuffer): void {
    if (length > this.scratch.length) this.scratch = new Int32Array(length * 2);
    const ids = this.scratch;
    for (let i = 0; i < length; i++) ids[i] = this.options.byteIds[bytes[i]!]!;
    out.pushRange(ids, 0, applyMerges(ids, length, this.options.rules));
    if (this.scratch.length > 1 << 16) this.scratch = new Int32Array(256);
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
