/**
 * Added tokens inside a text, found as Hugging Face finds them with `encode_special_tokens`: those that
 * are not `normalized` in the text as it is, the others in what the normalizer makes of the rest; the
 * leftmost first, of several the longest. Source: tokenizers 0.2x, added_vocabulary.rs.
 */
import type { AddedTokenJson } from "./tokenizer-json.js";

type Normalize = (text: string) => string;

/** A part of a text: an added token, or what lies between two. */
export type TextPart = { readonly id: number } | { readonly text: string };

/**
 * Cuts a text into normalized stretches and the ids of added tokens that are ordinary text
 * (`special: false`, such as runs of spaces in code models). Special tokens stay text: they are never
 * read out of one. Undefined when no token could be found.
 */
export function addedTokenSplitter(
  tokens: readonly AddedTokenJson[],
  normalize: Normalize,
): ((text: string) => TextPart[]) | undefined {
  const known = tokens.filter(({ content }) => content !== "");
  if (!known.some(({ special }) => !special)) return undefined;
  const raw = finderOf(known.filter(({ normalized }) => !normalized));
  const inNormalized = known.filter(({ normalized }) => normalized);
  const normal = finderOf(
    inNormalized.map((token) => ({ ...token, content: normalize(token.content) })),
  );
  return (text) =>
    raw(text).flatMap((part) => ("id" in part ? [part] : normal(normalize(part.text))));
}

function finderOf(tokens: readonly AddedTokenJson[]): (text: string) => TextPart[] {
  if (tokens.length === 0) return (text) => [{ text }];
  const byContent = new Map(tokens.map((token) => [token.content, token]));
  const longestFirst = [...byContent.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map(escapeRegex).join("|"), "gu");
  return (text) => {
    const parts: TextPart[] = [];
    let done = 0;
    for (const match of text.matchAll(pattern)) {
      const token = byContent.get(match[0])!;
      const place = placeOf(token, text, { start: match.index, done });
      if (token.special || place === undefined) continue;
      if (place.start > done) parts.push({ text: text.slice(done, place.start) });
      parts.push({ id: token.id });
      done = place.end;
    }
    if (done < text.length) parts.push({ text: text.slice(done) });
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

function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
