import { StagecraftError } from "@stagecraft/core";
import type { Tokenizer } from "./tokenizer.js";

const longestTokens = new WeakMap<Tokenizer, number>();

/**
 * Bytes of UTF-8 that cannot be fewer than so many tokens and one: no token is longer than the longest.
 * A foreign normalizer may make text shorter first (composing: three times at most).
 */
function maxTextBytes(tokenizer: Tokenizer, numTokens: number): number {
  const longest =
    longestTokens.get(tokenizer) ?? tokenizer.byteLengths.reduce((a, b) => Math.max(a, b), 4);
  longestTokens.set(tokenizer, longest);
  return numTokens * longest * (tokenizer.kind === "external" ? 4 : 1);
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
  const maxBytes = maxTextBytes(tokenizer, maxTokens);
  if (numBytes <= maxBytes) return numBytes;
  throw new StagecraftError(
    "invalid_argument",
    `${field} has ${numBytes} bytes of text, at most ${maxBytes} can be read here (${maxTokens} tokens): shorten it`,
    { details: { field, numBytes, maxBytes } },
  );
}
