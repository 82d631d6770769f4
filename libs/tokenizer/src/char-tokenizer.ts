import { StagecraftError } from "@stagecraft/core";
import { addedTokenSplitter } from "./added-tokens.js";
import { assembleTokenizer } from "./assemble-tokenizer.js";
import { byteOf, byteToken } from "./decoder.js";
import { IntBuffer } from "./int-buffer.js";
import { namedSpecialIds } from "./named-specials.js";
import { textsAndBytes } from "./text-pieces.js";
import { listTokens } from "./token-list.js";
import type { TokenizerJson } from "./tokenizer-json.js";
import type { Tokenizer } from "./tokenizer.js";
import { Vocabulary } from "./vocabulary.js";

/**
 * A tokenizer whose tokens are characters (code points), from its tokenizer.json. A character
 * outside the vocabulary becomes its UTF-8 bytes when the file has byte tokens; else encoding throws
 * `invalid_argument` with the character and its place. (Hugging Face drops it silently.)
 */
export function createCharTokenizer(
  files: Readonly<Record<string, string>>,
  json = JSON.parse(files["tokenizer.json"]!) as TokenizerJson,
): Tokenizer {
  const added = json.added_tokens ?? [];
  const vocabulary = new Vocabulary({
    list: listTokens(json.model, added),
    added,
    bytesOf: (token) => byteOf(token) ?? new Uint8Array(Buffer.from(token, "utf8")),
  });
  const encoder = new CharEncoder(json, vocabulary);
  const split = addedTokenSplitter(added, (text) => text);
  return assembleTokenizer({
    kind: "chars",
    vocabulary,
    specials: namedSpecialIds(files, (token) => vocabulary.idOf(token)),
    encode: (text) => encoder.encode(text),
    encodeWithSpecials(text, restore = (stretch) => stretch) {
      const parts = split(text, { readSpecials: true });
      return Int32Array.from(
        parts.flatMap((part) =>
          "id" in part ? [part.id] : [...encoder.encode(restore(part.text))],
        ),
      );
    },
    encodeBytes: (bytes) => encoder.encodeBytes(bytes),
    files,
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
