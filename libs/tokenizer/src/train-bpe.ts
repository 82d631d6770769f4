import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { alphabetOrder, bytesToAlphabet } from "./byte-alphabet.js";
import { tokenizerFromFiles } from "./load-tokenizer.js";
import { MergeState } from "./merge-state.js";
import { DEFAULT_PATTERN, splitByPattern } from "./pre-tokenizer.js";
import { DEFAULT_SPECIAL_TOKENS } from "./special-tokens.js";
import { bpeTokenizerJson, specialTokenEntry, type TokenizerJson } from "./tokenizer-json.js";
import { tokenizerConfig } from "./tokenizer-config.js";
import type { Tokenizer } from "./tokenizer.js";
import { WordCounter } from "./word-counter.js";

export interface TrainProgress {
  phase: "counting" | "merging";
  /** Characters (or bytes) read while counting, tokens of the vocabulary while merging. */
  done: number;
  /** The vocabulary size while merging; unknown while counting. */
  total?: number;
}

export interface TrainOptions {
  /** Tokens with an id of their own, first in the vocabulary. Default: the six of the chat format. */
  specialTokens?: readonly string[];
  onProgress?: (progress: TrainProgress) => void;
  signal?: AbortSignal;
}

export interface TrainBpeOptions extends TrainOptions {
  /** Specials, 256 bytes and merges together. The result is smaller when the text has no more pairs. */
  vocabSize: number;
  /** A pair that occurs less often is not merged. Default 2. */
  minFrequency?: number;
  /** Pre-tokenization regex in Oniguruma syntax. Default `DEFAULT_PATTERN`. */
  pattern?: string;
}

/**
 * Trains byte-level BPE (Sennrich et al. 2016; GPT-2's byte alphabet). Every item is a text of its
 * own: no token crosses items. The most frequent pair is merged first, of equals the one with the
 * smaller ids, so the result depends on the multiset of texts only and equals that of Hugging
 * Face's `BpeTrainer` with the same regex, specials and initial alphabet.
 * @throws `invalid_argument` when the vocabulary is too small or the texts are empty
 */
export async function trainBpe(
  texts: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>,
  options: TrainBpeOptions,
): Promise<Tokenizer> {
  const specialTokens = options.specialTokens ?? DEFAULT_SPECIAL_TOKENS;
  const pattern = options.pattern ?? DEFAULT_PATTERN;
  checkOptions(options.vocabSize, specialTokens);
  const counter = await countWords(texts, pattern, options);
  const vocabulary = await learnMerges(counter, specialTokens, options);
  const json: TokenizerJson = bpeTokenizerJson({
    added_tokens: specialTokens.map((token, id) => specialTokenEntry(id, token)),
    pre_tokenizer: byteLevelPreTokenizer(pattern),
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    ...vocabulary,
  });
  return tokenizerFromFiles({
    "tokenizer.json": JSON.stringify(json, null, 1),
    "tokenizer_config.json": JSON.stringify(tokenizerConfig("bpe", specialTokens), null, 2),
  });
}

function checkOptions(vocabSize: number, specialTokens: readonly string[]): void {
  const smallest = 256 + specialTokens.length;
  if (!Number.isInteger(vocabSize) || vocabSize < smallest || vocabSize > 2 ** 22) {
    throw new StagecraftError(
      "invalid_argument",
      `vocabSize is ${vocabSize}; byte-level BPE needs an integer of at least ${smallest} ` +
        `(256 bytes and ${specialTokens.length} special tokens) and at most ${2 ** 22}`,
    );
  }
  if (new Set(specialTokens).size !== specialTokens.length || specialTokens.includes("")) {
    throw new StagecraftError(
      "invalid_argument",
      `specialTokens must be distinct and not empty, got ${JSON.stringify(specialTokens)}`,
    );
  }
}

async function countWords(
  texts: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>,
  pattern: string,
  { onProgress, signal }: TrainOptions,
): Promise<WordCounter> {
  const counter = new WordCounter(splitByPattern(pattern));
  const pause = createPause(signal);
  let done = 0;
  for await (const text of texts) {
    counter.add(text);
    done += text.length;
    if (await pause()) onProgress?.({ phase: "counting", done });
  }
  onProgress?.({ phase: "counting", done });
  if (counter.size === 0) {
    throw new StagecraftError("invalid_argument", "there is no text to train a tokenizer on");
  }
  return counter;
}

async function learnMerges(
  counter: WordCounter,
  specialTokens: readonly string[],
  { vocabSize, minFrequency = 2, onProgress, signal }: TrainBpeOptions,
): Promise<{ vocab: Record<string, number>; merges: string[] }> {
  const tokens = [...specialTokens, ...alphabetOrder().map((byte) => bytesToAlphabet([byte]))];
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const state = new MergeState(wordsAsIds(counter, ids), minFrequency);
  const merges: string[] = [];
  const pause = createPause(signal);
  const specials = new Set(specialTokens);
  while (tokens.length < vocabSize) {
    const best = state.popBest();
    if (best === undefined) break;
    const token = tokens[best.left]! + tokens[best.right]!;
    if (specials.has(token)) continue; // text must never become a special token
    merges.push(`${tokens[best.left]} ${tokens[best.right]}`);
    // Two merges may spell one token, (a, bc) and (ab, c): both rules give the same id.
    const id = ids.get(token) ?? tokens.push(token) - 1;
    ids.set(token, id);
    state.merge(best, id);
    if (await pause()) onProgress?.({ phase: "merging", done: tokens.length, total: vocabSize });
  }
  onProgress?.({ phase: "merging", done: tokens.length, total: vocabSize });
  return { vocab: Object.fromEntries(ids), merges };
}

function* wordsAsIds(counter: WordCounter, ids: ReadonlyMap<string, number>) {
  const byteIds = Int32Array.from({ length: 256 }, (_, b) => ids.get(bytesToAlphabet([b]))!);
  for (const { bytes, count } of counter.entries()) {
    yield { ids: Int32Array.from(bytes, (byte) => byteIds[byte]!), count };
  }
}

function byteLevelPreTokenizer(pattern: string): TokenizerJson["pre_tokenizer"] {
  return {
    type: "Sequence",
    pretokenizers: [
      { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false },
      { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
    ],
  };
}

const PAUSE_EVERY_MS = 50;

/** Lets timers and signals run about every 50 ms; resolves to true when it did. */
export function createPause(signal: AbortSignal | undefined): () => Promise<boolean> {
  let last = performance.now();
  return async () => {
    throwIfAborted(signal);
    if (performance.now() - last < PAUSE_EVERY_MS) return false;
    await new Promise<void>((resolve) => setImmediate(resolve));
    throwIfAborted(signal);
    last = performance.now();
    return true;
  };
}
