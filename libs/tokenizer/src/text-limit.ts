import { StagecraftError } from "@stagecraft/core";
import { parsedTokenizerJson } from "./parsed-json.js";
import type { NormalizerJson, PreTokenizerJson, TokenizerJson } from "./tokenizer-json.js";
import type { Tokenizer } from "./tokenizer.js";

const bytesPerToken = new WeakMap<Tokenizer, number>();

/**
 * Bytes of UTF-8 that one token may stand for: those of the longest token. A foreign normalizer may make
 * text shorter first (composing: three times at most). Infinity where no length of text is too much for
 * one token.
 */
function maxBytesPerToken(tokenizer: Tokenizer): number {
  const known = bytesPerToken.get(tokenizer);
  if (known !== undefined) return known;
  const longest = tokenizer.byteLengths.reduce((a, b) => Math.max(a, b), 4);
  const most =
    tokenizer.kind === "external" ? (leavesTextOut(tokenizer) ? Infinity : longest * 4) : longest;
  bytesPerToken.set(tokenizer, most);
  return most;
}

/** Whether any amount of some text may become one token or none. */
function leavesTextOut(tokenizer: Tokenizer): boolean {
  const json = parsedTokenizerJson(tokenizer.files()["tokenizer.json"]!) as TokenizerJson;
  const { model, added_tokens: added = [] } = json;
  const hasBytes = model.byte_fallback === true || usesBytes(json.pre_tokenizer);
  const fuses = model.type === "Unigram" || model.fuse_unk === true;
  return (
    (fuses && !hasBytes) ||
    added.some(({ lstrip, rstrip }) => lstrip || rstrip) ||
    shortens(json.normalizer) ||
    removes(json.pre_tokenizer)
  );
}

function usesBytes(json: PreTokenizerJson | null | undefined): boolean {
  return json?.type === "ByteLevel" || (json?.pretokenizers ?? []).some(usesBytes);
}

function removes(json: PreTokenizerJson | null | undefined): boolean {
  if (!json) return false;
  const isKept = (json.behavior ?? "Isolated") !== "Removed" && !json.type.startsWith("Whitespace");
  return !isKept || (json.pretokenizers ?? []).some(removes);
}

function shortens(json: NormalizerJson | null | undefined): boolean {
  if (!json) return false;
  const { type, pattern, content = "", normalizers = [] } = json;
  if (type === "Replace") return content.length < (pattern?.String?.length ?? Infinity);
  return type === "Strip" || type === "StripAccents" || normalizers.some(shortens);
}

export interface TextLimits {
  tokenizer: Tokenizer;
  maxTokens: number;
  field: string;
}

/**
 * Throws `invalid_argument` for texts, read together, that have more tokens than the model reads for sure,
 * by their length in bytes alone: to be asked before they are encoded. Returns their bytes.
 */
export function checkTextBytes(texts: readonly string[], limits: TextLimits): number {
  const { tokenizer, maxTokens, field } = limits;
  const numBytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const maxBytes = maxTokens * maxBytesPerToken(tokenizer);
  if (numBytes <= maxBytes) return numBytes;
  throw new StagecraftError(
    "invalid_argument",
    `${field} has ${numBytes} bytes of text, at most ${maxBytes} can be read here (${maxTokens} tokens): shorten it`,
    { details: { field, numBytes, maxBytes } },
  );
}
