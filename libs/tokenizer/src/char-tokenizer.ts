import { StagecraftError } from "@stagecraft/core";
import { assembleTokenizer } from "./assemble-tokenizer.js";
import { IntBuffer } from "./int-buffer.js";
import { namedSpecialIds } from "./named-specials.js";
import { textsAndBytes } from "./text-pieces.js";
import type { TokenizerJson } from "./tokenizer-json.js";
import type { Tokenizer } from "./tokenizer.js";
import { Vocabulary, type VocabularyEntry } from "./vocabulary.js";

/** The spelling of a fallback byte, as Hugging Face's `byte_fallback` expects it. */
export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

/**
 * A tokenizer whose tokens are characters (code points), from its tokenizer.json. A character
 * outside the vocabulary becomes its UTF-8 bytes when the file has byte tokens; else encoding throws
 * `invalid_argument` with the character and its place. (Hugging Face drops it silently.)
 */
export function createCharTokenizer(files: Readonly<Record<string, string>>): Tokenizer {
  const json = JSON.parse(files["tokenizer.json"]!) as TokenizerJson;
  const vocabulary = new Vocabulary(vocabularyEntries(json));
  const encoder = new CharEncoder(json, vocabulary);
  return assembleTokenizer({
    kind: "chars",
    vocabulary,
    specials: namedSpecialIds(files, (token) => vocabulary.idOf(token)),
    encode: (text) => encoder.encode(text),
    encodeBytes: (bytes) => encoder.encodeBytes(bytes),
    files,
  });
}

function vocabularyEntries(json: TokenizerJson): VocabularyEntry[] {
  const special = new Set((json.added_tokens ?? []).map((token) => token.content));
  return Object.entries(json.model.vocab).map(([token, id]) => {
    const byte = /^<0x([0-9A-F]{2})>$/.exec(token)?.[1];
    const bytes = byte === undefined ? Buffer.from(token, "utf8") : [Number.parseInt(byte, 16)];
    return { id, token, bytes: Uint8Array.from(bytes), special: special.has(token) };
  });
}

class CharEncoder {
  /** Id of each code point of the basic plane, −1 when unknown. */
  private readonly basic = new Int32Array(0x10000).fill(-1);
  private readonly astral = new Map<number, number>();
  /** First of the 256 byte tokens, or −1. */
  private readonly bytes: Int32Array | undefined;

  constructor(json: TokenizerJson, vocabulary: Vocabulary) {
    for (const [token, id] of Object.entries(json.model.vocab)) {
      const codePoint = token.codePointAt(0)!;
      if (String.fromCodePoint(codePoint) !== token) continue;
      if (codePoint < 0x10000) this.basic[codePoint] = id;
      else this.astral.set(codePoint, id);
    }
    if (json.model.byte_fallback) {
      this.bytes = Int32Array.from({ length: 256 }, (_, b) => vocabulary.idOf(byteToken(b)) ?? -1);
    }
  }

  encode(text: string): Int32Array {
    const out = new IntBuffer(text.length);
    this.encodeInto(text, out);
    return out.toArray();
  }

  encodeBytes(bytes: Uint8Array): Int32Array {
    const out = new IntBuffer(bytes.length);
    for (const part of textsAndBytes(bytes)) {
      if (typeof part === "string") this.encodeInto(part, out);
      else this.bytesInto(part, out, "bytes that are not UTF-8");
    }
    return out.toArray();
  }

  private encodeInto(text: string, out: IntBuffer): void {
    for (let at = 0; at < text.length; at++) {
      let codePoint = text.codePointAt(at)!;
      if (codePoint > 0xffff) at++;
      else if (codePoint >= 0xd800 && codePoint < 0xe000) codePoint = 0xfffd; // a lone surrogate
      const id = codePoint < 0x10000 ? this.basic[codePoint]! : (this.astral.get(codePoint) ?? -1);
      if (id >= 0) out.push(id);
      else this.unknownInto(codePoint, at, out);
    }
  }

  private unknownInto(codePoint: number, at: number, out: IntBuffer): void {
    const char = String.fromCodePoint(codePoint);
    const hex = codePoint.toString(16).toUpperCase().padStart(4, "0");
    const what = `the character ${JSON.stringify(char)} (U+${hex}) at position ${at}`;
    this.bytesInto(Buffer.from(char, "utf8"), out, what);
  }

  private bytesInto(bytes: Uint8Array, out: IntBuffer, what: string): void {
    if (this.bytes === undefined) {
      throw new StagecraftError(
        "invalid_argument",
        `${what} is not in the vocabulary of this character tokenizer; ` +
          `remove it, or train the tokenizer with byteFallback`,
      );
    }
    for (const byte of bytes) out.push(this.bytes[byte]!);
  }
}
