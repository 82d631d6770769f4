/**
 * Added tokens inside a text, found as Hugging Face finds them: those that are not `normalized` in the
 * text as it is, the others in what the normalizer makes of the rest; the leftmost first, of several the
 * longest. Source: tokenizers 0.2x, added_vocabulary.rs.
 */
import { createLiteralTrie } from "./literal-trie.js";
import type { Normalize } from "./normalizer.js";
import type { AddedTokenJson } from "./tokenizer-json.js";

/** A part of a text: an added token, or what lies between two, and whether that opens the text. */
export type TextPart =
  { readonly id: number } | { readonly text: string; readonly isStart: boolean };

export interface SplitOptions {
  /** Whether special tokens are read out of the text, or stay text (`encode_special_tokens`). */
  readSpecials: boolean;
}

/**
 * Cuts a text into normalized stretches and the ids of added tokens that are ordinary text
 * (`special: false`, such as runs of spaces in code models) and, where asked for, special ones.
 */
export function addedTokenSplitter(
  tokens: readonly AddedTokenJson[],
  normalize: Normalize,
): (text: string, options: SplitOptions) => TextPart[] {
  const known = tokens.filter(({ content }) => content !== "");
  const areSpecial = known.every(({ special }) => special);
  const raw = finderOf(known.filter(({ normalized }) => !normalized));
  const inNormalized = known.filter(({ normalized }) => normalized);
  const normal = finderOf(
    inNormalized.map((token) => ({ ...token, content: normalize(token.content) })),
  );
  return (text, options) => {
    if (areSpecial && !options.readSpecials) return [{ text: normalize(text), isStart: true }];
    return raw({ text, isStart: true }, options).flatMap((part) =>
      "id" in part
        ? [part]
        : normal({ text: normalize(part.text), isStart: part.isStart }, options),
    );
  };
}

type Stretch = Extract<TextPart, { text: string }>;

function finderOf(tokens: readonly AddedTokenJson[]) {
  const trie = createLiteralTrie(tokens.map(({ content }) => content));
  return ({ text, isStart }: Stretch, { readSpecials }: SplitOptions): TextPart[] => {
    if (tokens.length === 0) return [{ text, isStart }];
    const parts: TextPart[] = [];
    let done = 0;
    let match = trie.find(text, 0);
    for (; match !== undefined; match = trie.find(text, match.end)) {
      const token = tokens[match.index]!;
      if (token.special && !readSpecials) continue;
      const place = placeOf(token, text, { start: match.start, done });
      if (place === undefined) continue;
      if (place.start > done) {
        parts.push({ text: text.slice(done, place.start), isStart: isStart && done === 0 });
      }
      parts.push({ id: token.id });
      done = place.end;
    }
    if (done < text.length) {
      parts.push({ text: text.slice(done), isStart: isStart && done === 0 });
    }
    return parts;
  };
}

/** Rust's \w and \s, which Hugging Face asks. */
const WORD = "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]";
const ENDS_WITH_WORD = new RegExp(`${WORD}$`, "u");
const STARTS_WITH_WORD = new RegExp(`^${WORD}`, "u");
const SPACE = /\p{White_Space}/u;

/** Where the token with its stripped spaces lies; undefined for a `single_word` inside another one. */
function placeOf(
  { content, single_word: singleWord, lstrip, rstrip }: AddedTokenJson,
  text: string,
  { start, done }: { start: number; done: number },
): { start: number; end: number } | undefined {
  let [from, end] = [start, start + content.length];
  if (singleWord && ENDS_WITH_WORD.test(text.slice(Math.max(0, from - 2), from))) return undefined;
  if (singleWord && STARTS_WITH_WORD.test(text.slice(end, end + 2))) return undefined;
  // All white space is in the basic plane: one unit each.
  if (lstrip) while (from > done && SPACE.test(text[from - 1]!)) from--;
  if (rstrip) while (end < text.length && SPACE.test(text[end]!)) end++;
  return { start: from, end };
}
