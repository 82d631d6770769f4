import type { AddedTokenJson } from "./tokenizer-json.js";

type SplitEncoder = (
  text: string,
  normalize: (text: string) => string,
  encode: (part: string) => Int32Array,
) => Int32Array;

/**
 * Cuts a text at the added tokens that are ordinary text (`special: false`, such as runs of spaces
 * in code models). Special tokens are left alone: they are never read out of a text. Undefined when
 * there are none.
 */
export function addedTokenSplitter(tokens: readonly AddedTokenJson[]): SplitEncoder | undefined {
  const plain = tokens.filter((token) => !token.special && token.content !== "");
  if (plain.length === 0) return undefined;
  const ids = new Map(plain.map((token) => [token.content, token.id]));
  const longestFirst = [...ids.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map(escapeRegex).join("|"), "gu");
  return (text, normalize, encode) => {
    const parts: Int32Array[] = [];
    let end = 0;
    for (const match of text.matchAll(pattern)) {
      if (match.index > end) parts.push(encode(normalize(text.slice(end, match.index))));
      parts.push(Int32Array.of(ids.get(match[0])!));
      end = match.index + match[0].length;
    }
    if (end < text.length) parts.push(encode(normalize(text.slice(end))));
    return concat(parts);
  };
}

function concat(parts: readonly Int32Array[]): Int32Array {
  const joined = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let end = 0;
  for (const part of parts) {
    joined.set(part, end);
    end += part.length;
  }
  return joined;
}

function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
