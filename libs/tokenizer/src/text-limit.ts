import { StagecraftError } from "@stagecraft/core";
import type { Message, Tokenizer } from "./tokenizer.js";

const longestTokens = new WeakMap<Tokenizer, number>();

/**
 * Bytes of UTF-8 that cannot be fewer than so many tokens and one: no token is longer than the longest.
 * A foreign normalizer may make text shorter first (composing: three times at most).
 */
export function maxTextBytes(tokenizer: Tokenizer, numTokens: number): number {
  const longest =
    longestTokens.get(tokenizer) ?? tokenizer.byteLengths.reduce((a, b) => Math.max(a, b), 4);
  longestTokens.set(tokenizer, longest);
  return numTokens * longest * (tokenizer.kind === "external" ? 4 : 1);
}

/** Bytes of the texts of a conversation. */
export function conversationBytes(messages: readonly Message[]): number {
  return messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
}

/**
 * Throws `invalid_argument` for a conversation that has more tokens than the model reads for sure, by
 * its length in bytes alone: to be asked before it is encoded. Returns its bytes.
 */
export function checkConversationBytes(messages: readonly Message[], limits: TextLimits): number {
  return checkTextBytes(
    messages.map(({ content }) => content),
    limits,
  );
}

export interface TextLimits {
  tokenizer: Tokenizer;
  maxTokens: number;
  field: string;
}

/** The same for texts that are read together. */
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
