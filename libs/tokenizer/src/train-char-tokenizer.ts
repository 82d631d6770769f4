import { StagecraftError } from "@stagecraft/core";
import { createCharTokenizer } from "./char-tokenizer.js";
import { byteToken } from "./decoder.js";
import { DEFAULT_SPECIAL_TOKENS } from "./special-tokens.js";
import { textsAndBytes } from "./text-pieces.js";
import { bpeTokenizerJson, specialTokenEntry } from "./tokenizer-json.js";
import { tokenizerConfig } from "./tokenizer-config.js";
import type { Tokenizer } from "./tokenizer.js";
import { createPause, type TrainOptions } from "./train-bpe.js";

export interface TrainCharOptions extends TrainOptions {
  /**
   * Adds 256 byte tokens, so that any text and any bytes can be encoded. Default false: the
   * vocabulary is the special tokens and the characters seen, and others are an error.
   */
  byteFallback?: boolean;
}

/**
 * Characters (code points) as tokens: special tokens first, then the characters of the texts in
 * code point order. With `specialTokens: []` the ids are those of nanoGPT's `shakespeare_char`.
 */
export async function trainCharTokenizer(
  texts: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>,
  options: TrainCharOptions = {},
): Promise<Tokenizer> {
  const specialTokens = options.specialTokens ?? DEFAULT_SPECIAL_TOKENS;
  checkSpecials(specialTokens);
  const chars = await collectChars(texts, options);
  const bytes = options.byteFallback ? Array.from({ length: 256 }, (_, b) => byteToken(b)) : [];
  const tokens = [...specialTokens, ...bytes, ...chars];
  const json = bpeTokenizerJson({
    added_tokens: specialTokens.map((token, id) => specialTokenEntry(id, token)),
    pre_tokenizer: null,
    decoder: options.byteFallback
      ? { type: "Sequence", decoders: [{ type: "ByteFallback" }, { type: "Fuse" }] }
      : { type: "Fuse" },
    vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    merges: [], // BPE without merges is Hugging Face's way to say "characters"
    byteFallback: options.byteFallback ?? false,
  });
  return createCharTokenizer({
    "tokenizer.json": JSON.stringify(json, null, 1),
    "tokenizer_config.json": JSON.stringify(tokenizerConfig("chars", specialTokens), null, 2),
  });
}

function checkSpecials(specialTokens: readonly string[]): void {
  const bad = specialTokens.find((token) => [...token].length < 2 || /^<0x..>$/.test(token));
  if (bad === undefined && new Set(specialTokens).size === specialTokens.length) return;
  throw new StagecraftError(
    "invalid_argument",
    `specialTokens must be distinct, of two characters or more, and not spelled like a byte, ` +
      `got ${JSON.stringify(specialTokens)}`,
  );
}

async function collectChars(
  texts: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>,
  { onProgress, signal }: TrainOptions,
): Promise<string[]> {
  const seen = new Set<number>();
  const pause = createPause(signal);
  let done = 0;
  for await (const text of texts) {
    for (const part of typeof text === "string" ? [text] : textsAndBytes(text)) {
      if (typeof part === "string") addChars(part, seen);
    }
    done += text.length;
    if (await pause()) onProgress?.({ phase: "counting", done });
  }
  onProgress?.({ phase: "counting", done });
  if (seen.size === 0) {
    throw new StagecraftError("invalid_argument", "there is no text to train a tokenizer on");
  }
  return [...seen].sort((a, b) => a - b).map((codePoint) => String.fromCodePoint(codePoint));
}

function addChars(text: string, seen: Set<number>): void {
  for (let at = 0; at < text.length; at++) {
    const codePoint = text.codePointAt(at)!;
    if (codePoint > 0xffff) at++;
    seen.add(codePoint >= 0xd800 && codePoint < 0xe000 ? 0xfffd : codePoint);
  }
}
