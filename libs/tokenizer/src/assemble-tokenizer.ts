import { createHash } from "node:crypto";
import { createStreamDecoder } from "./stream-decoder.js";
import type { SpecialIds, Tokenizer } from "./tokenizer.js";
import type { Vocabulary } from "./vocabulary.js";

export interface TokenizerParts {
  kind: Tokenizer["kind"];
  vocabulary: Vocabulary;
  specials: SpecialIds;
  encode(text: string): Int32Array;
  encodeBytes(bytes: Uint8Array): Int32Array;
  files: Readonly<Record<string, string>>;
}

/** Joins an encoder and a vocabulary to the public interface. */
export function assembleTokenizer(parts: TokenizerParts): Tokenizer {
  const { vocabulary } = parts;
  const decodeBytes: Tokenizer["decodeBytes"] = (ids, options) =>
    vocabulary.bytesOf(ids, options?.skipSpecials ?? true);
  return {
    kind: parts.kind,
    vocabSize: vocabulary.size,
    specials: parts.specials,
    fingerprint: sha256(parts.files["tokenizer.json"] ?? ""),
    byteLengths: vocabulary.byteLengths,
    encode: parts.encode,
    encodeBytes: parts.encodeBytes,
    decode: (ids, options) =>
      new TextDecoder("utf-8", { ignoreBOM: true }).decode(decodeBytes(ids, options)),
    decodeBytes,
    streamDecoder: () => createStreamDecoder(vocabulary),
    tokenOf: (id) => vocabulary.tokenOf(id),
    idOf: (token) => vocabulary.idOf(token),
    files: () => ({ ...parts.files }),
  };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
