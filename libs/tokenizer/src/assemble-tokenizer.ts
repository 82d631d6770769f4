import { createHash } from "node:crypto";
import { endIdsOf, GENERATION_CONFIG, listedEndIds, withEndIds } from "./end-ids.js";
import { createStreamDecoder } from "./stream-decoder.js";
import { templateSourceOf } from "./template/template-source.js";
import { textAffixesOf, type TextAffixes } from "./text-affixes.js";
import type { SpecialIds, Tokenizer } from "./tokenizer.js";
import type { Vocabulary } from "./vocabulary.js";

export interface TokenizerParts {
  kind: Tokenizer["kind"];
  vocabulary: Vocabulary;
  specials: SpecialIds;
  encode(text: string): Int32Array;
  encodeWithSpecials: Tokenizer["encodeWithSpecials"];
  encodeBytes(bytes: Uint8Array): Int32Array;
  files: Readonly<Record<string, string>>;
  /** `post_processor` of tokenizer.json. */
  postProcessor?: unknown;
}

/** Joins an encoder and a vocabulary to the public interface. */
export function assembleTokenizer(parts: TokenizerParts): Tokenizer {
  const { vocabulary } = parts;
  const decodeBytes: Tokenizer["decodeBytes"] = (ids, options) =>
    vocabulary.bytesOf(ids, options?.skipSpecials ?? true);
  const idOf = (token: string) => vocabulary.idOf(token);
  const listed = listedEndIds(parts.files[GENERATION_CONFIG], GENERATION_CONFIG);
  let endIds: readonly number[] | undefined;
  let fingerprint: string | undefined;
  let chatFingerprint: string | undefined;
  let textAffixes: TextAffixes | undefined;
  const tokenizer: Tokenizer = {
    kind: parts.kind,
    vocabSize: vocabulary.size,
    specials: parts.specials,
    specialTokens: vocabulary.specialTokens,
    get endIds() {
      endIds ??= endIdsOf(tokenizer, parts.files, listed);
      return endIds;
    },
    get fingerprint() {
      fingerprint ??= sha256(parts.files["tokenizer.json"] ?? "");
      return fingerprint;
    },
    get chatFingerprint() {
      chatFingerprint ??= chatFingerprintOf(parts.files);
      return chatFingerprint;
    },
    get textAffixes() {
      textAffixes ??= textAffixesOf(parts.postProcessor);
      return textAffixes;
    },
    get byteLengths() {
      return vocabulary.byteLengths;
    },
    encode: parts.encode,
    encodeWithSpecials: parts.encodeWithSpecials,
    encodeBytes: parts.encodeBytes,
    decode: (ids, options) =>
      new TextDecoder("utf-8", { ignoreBOM: true }).decode(
        vocabulary.withoutLeadingSpaces(decodeBytes(ids, options)),
      ),
    decodeBytes,
    streamDecoder: () => createStreamDecoder(vocabulary),
    tokenOf: (id) => vocabulary.tokenOf(id),
    idOf,
    hasToken: (id) => vocabulary.has(id),
    files: () => filesWithEnds(parts.files, tokenizer.endIds),
  };
  return tokenizer;
}

function filesWithEnds(files: TokenizerParts["files"], endIds: readonly number[]) {
  if (endIds.length === 0) return { ...files };
  return { ...files, [GENERATION_CONFIG]: withEndIds(files[GENERATION_CONFIG], endIds) };
}

function chatFingerprintOf(files: TokenizerParts["files"]): string {
  const source = templateSourceOf(files);
  if (source === undefined) return "";
  const { text, withTools } = source;
  const used = Object.entries(source.names).filter(([name]) =>
    `${text}${withTools}`.includes(name),
  );
  return sha256(JSON.stringify([text, withTools, used.sort()]));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
