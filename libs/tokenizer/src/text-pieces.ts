import type { PreTokenizer } from "./pre-tokenizer.js";
import { utf8Runs } from "./utf8.js";

const WINDOW_CHARS = 1 << 16;
const SAFE_SPACE = /(?<=\P{White_Space}) /gu;
const SAFE_AFTER_NEWLINE = /(?<=\P{White_Space}\n)[\p{L}\p{N}]/gu;
const SEARCH_CHARS = 1 << 12;

/**
 * Where a long text may be cut so that the pieces' pre-tokens are those of the whole: before a space
 * that follows something visible, else after a line that precedes a letter or digit. Holds for
 * this library's regex and those of GPT-2, GPT-4 and Llama 3. Returns the last such place, or the
 * last character boundary when there is none; 0 for an empty text.
 */
export function lastSafeCut(text: string): number {
  return (
    safeCutAfter(text, Math.max(0, text.length - SEARCH_CHARS)) ??
    safeCutAfter(text, 0) ??
    (/[\ud800-\udbff]$/.test(text) ? text.length - 1 : text.length)
  );
}

function safeCutAfter(text: string, from: number): number | undefined {
  const tail = text.slice(from);
  const cut = lastIndexOf(tail, SAFE_SPACE) ?? lastIndexOf(tail, SAFE_AFTER_NEWLINE);
  return cut === undefined ? undefined : from + cut;
}

function lastIndexOf(text: string, pattern: RegExp): number | undefined {
  let found: number | undefined;
  for (const match of text.matchAll(pattern)) found = match.index;
  return found;
}

/**
 * The pieces of a text, made window by window so that no list of millions of strings is held. The
 * last two pieces of a window are made again with what follows them: a match is decided by the text
 * up to its own end and one character more, so all others are those of the whole text.
 */
export function* piecesOf(text: string, split: PreTokenizer, inWindows: boolean) {
  let start = 0;
  for (let size = WINDOW_CHARS; inWindows && text.length - start > size;) {
    const pieces = split(text.slice(start, start + size));
    if (pieces.length <= 2) {
      size *= 4; // one endless word
      continue;
    }
    pieces.length -= 2;
    yield pieces;
    for (const piece of pieces) start += piece.length;
    size = WINDOW_CHARS;
  }
  if (start < text.length) yield split(start === 0 ? text : text.slice(start));
}

/** Bytes as alternating texts and stretches of bytes that are not UTF-8. */
export function* textsAndBytes(bytes: Uint8Array): Generator<string | Uint8Array> {
  for (const run of utf8Runs(bytes)) {
    const part = bytes.subarray(run.start, run.end);
    yield run.valid ? decodeUtf8(part) : part;
  }
}

/** Decodes bytes that are known to be valid, keeping a byte order mark. */
function decodeUtf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

/**
 * A copy that shares no memory with the text it was cut from: V8 keeps the whole parent string alive
 * for every slice of 13 characters or more. Lone surrogates become U+FFFD.
 */
export function detached(piece: string): string {
  return piece.length < 13 ? piece : Buffer.from(piece, "utf8").toString("utf8");
}
