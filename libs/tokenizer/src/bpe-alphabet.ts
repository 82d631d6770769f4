import { StagecraftError } from "@stagecraft/core";
import { bytesToAlphabet } from "./byte-alphabet.js";
import { byteToken } from "./decoder.js";
import type { IntBuffer } from "./int-buffer.js";
import type { TokenList } from "./token-list.js";
import type { ModelJson } from "./tokenizer-json.js";

/** What a piece consists of before any merge. */
export interface BpeAlphabet {
  symbolsInto(piece: string, out: IntBuffer): void;
  /** Bytes that are no text. */
  rawInto(bytes: Uint8Array, out: IntBuffer): void;
  /** The piece as the vocabulary spells it. */
  spellingOf(piece: string): string;
}

const LONE_SURROGATE = /^[\ud800-\udfff]$/;

/** Every byte is a symbol, spelled in GPT-2's alphabet. Throws where the vocabulary lacks one. */
export function byteAlphabet({ idOf }: TokenList): BpeAlphabet {
  const ids = Int32Array.from({ length: 256 }, (_, byte) => {
    const id = idOf(bytesToAlphabet([byte]));
    if (id !== undefined) return id;
    throw new StagecraftError(
      "invalid_argument",
      `tokenizer.json has no token for the byte 0x${byte.toString(16).padStart(2, "0")}`,
    );
  });
  const rawInto = (bytes: Uint8Array, out: IntBuffer) => {
    for (const byte of bytes) out.push(ids[byte]!);
  };
  return {
    rawInto,
    symbolsInto: (piece, out) => rawInto(Buffer.from(piece, "utf8"), out),
    spellingOf: (piece) => bytesToAlphabet(Buffer.from(piece, "utf8")),
  };
}

/**
 * Every character is a symbol; one that the vocabulary lacks becomes its bytes (`byte_fallback`), else
 * the token for the unknown, several in a row one of them (`fuse_unk`). Without such a token a text with
 * that character is refused: Hugging Face drops it without a word.
 */
export function characterAlphabet(model: ModelJson, list: TokenList): BpeAlphabet {
  const { idOf } = list;
  const bytesInto = byteFallback(model, list);
  const unknown = model.unk_token ? idOf(model.unk_token) : undefined;
  const rawInto = (raw: Uint8Array, out: IntBuffer) => {
    if (bytesInto(raw, out)) return;
    if (unknown === undefined) throw notInVocabulary(raw);
    const isFused = model.fuse_unk && out.length > 0 && out.at(out.length - 1) === unknown;
    if (!isFused) out.push(unknown);
  };
  return {
    rawInto,
    spellingOf: (piece) => piece,
    symbolsInto(piece, out) {
      for (const char of piece) {
        const id = idOf(char);
        if (id !== undefined) out.push(id);
        else if (LONE_SURROGATE.test(char)) this.symbolsInto("\ufffd", out);
        else rawInto(Buffer.from(char, "utf8"), out);
      }
    },
  };
}

/** Puts the tokens of bytes, `<0x0A>`, where the vocabulary has all of them; false: it has not. */
export function byteFallback(
  model: { byte_fallback?: boolean },
  { idOf }: TokenList,
): (bytes: Uint8Array, out: IntBuffer) => boolean {
  if (!model.byte_fallback) return () => false;
  const ids = Int32Array.from({ length: 256 }, (_, byte) => idOf(byteToken(byte)) ?? -1);
  return (bytes, out) => {
    if (!bytes.every((byte) => ids[byte]! >= 0)) return false;
    for (const byte of bytes) out.push(ids[byte]!);
    return true;
  };
}

/** A text with something that a vocabulary lacks, and that it has no token for the unknown for. */
export function notInVocabulary(bytes: Uint8Array): StagecraftError {
  return new StagecraftError(
    "invalid_argument",
    `${JSON.stringify(Buffer.from(bytes).toString("utf8"))} is not in the vocabulary of this ` +
      `tokenizer, which has neither tokens of bytes nor one for the unknown; remove it`,
  );
}
