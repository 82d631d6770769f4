/**
 * BPE of sentencepiece's kind (Llama 2, Mistral, Gemma): spaces are spelled ▁, and what the vocabulary lacks
 * becomes bytes. llama.cpp puts a space before every part of a text, or before none.
 */
import { StagecraftError, type JsonObject, type JsonValue } from "@stagecraft/core";
import { isObject } from "../hf-reader.js";
import { addedOf, byteTokenOf, markedOf } from "./gguf-tokens.js";
import { requireSameTokens } from "./piece-check.js";
import { pieceScores } from "./piece-scores.js";
import type { GgufWords, WordsOptions } from "./gguf-words.js";

const MARK = "▁";

/** Whether the tokenizer is one of characters with tokens of bytes. */
export function isPieces({ model, pre_tokenizer: pre }: JsonObject): boolean {
  const isByteLevel = JSON.stringify(pre ?? null).includes('"ByteLevel"');
  return (
    isObject(model) && model["type"] === "BPE" && model["byte_fallback"] === true && !isByteLevel
  );
}

/**
 * Metadata of such a tokenizer. Throws `unimplemented` for one that llama.cpp would not follow.
 * @param tokens by their ids
 */
export function pieceWords(
  json: JsonObject,
  { tokens, pre, origin }: WordsOptions & { tokens: readonly string[] },
): GgufWords {
  if (pre !== undefined && pre !== "default") {
    const problem = `--pre must be default for a tokenizer of sentencepiece's kind, got ${pre}`;
    throw new StagecraftError("invalid_argument", problem);
  }
  const refuse = (problem: string) =>
    new StagecraftError("unimplemented", `tokenizer of ${origin}: ${problem}`);
  const spaces = spacesOf(json);
  const problem = problemOf(json, tokens);
  if (spaces === undefined || problem)
    throw refuse(problem ?? "normalizer and pre_tokenizer are none that llama.cpp has");
  if (spaces.note !== undefined && pre === undefined) {
    throw refuse(`${spaces.problem}; --pre default takes the nearest: ${spaces.note}`);
  }
  const scores = pieceScores(json["model"] as JsonObject, { tokens, origin });
  requireSameTokens(json, { tokens, scores, origin });
  return {
    metadata: [
      ["tokenizer.ggml.model", "llama"],
      ["tokenizer.ggml.pre", "default"],
      ["tokenizer.ggml.scores", { f32s: scores }],
      ["tokenizer.ggml.add_space_prefix", spaces.prefix],
    ],
    notes: [
      ...(spaces.note === undefined ? [] : [spaces.note]),
      ...(markedOf(json).length > 0 ? [`texts with ${MARK} itself get other tokens`] : []),
    ],
  };
}

interface Spaces {
  /** Whether a part of a text begins with a space more. */
  prefix: boolean;
  /** Where llama.cpp has the nearest alone. */
  problem?: string;
  note?: string;
}

/** Where a tokenizer puts spaces before texts; undefined: it spells them in a way that is none of these. */
function spacesOf(json: JsonObject): Spaces | undefined {
  const { normalizer, pre_tokenizer: pre } = json;
  const steps = flatten(normalizer, "normalizers");
  const areKnown = steps.every((step) => isReplace(step) || isPrepend(step));
  if (!areKnown) return undefined;
  if (steps.length === 0) return isObject(pre) ? ofMetaspace(pre) : undefined;
  if (steps.filter(isReplace).length !== 1 || (pre != null && !isIdle(pre))) return undefined;
  const prefix = steps.some(isPrepend);
  const inNormalized = addedOf(json).find((token) => prefix && token["normalized"] === true);
  return { prefix, ...(inNormalized && afterNormalized(String(inNormalized["content"]))) };
}

const afterNormalized = (token: string) => ({
  problem: `it puts no space before what follows ${token} ("normalized": true)`,
  note: `a space is put after ${token}: texts with it get other tokens`,
});

const isReplace = ({ type, pattern, content }: JsonObject) =>
  type === "Replace" && isObject(pattern) && pattern["String"] === " " && content === MARK;

const isPrepend = ({ type, prepend }: JsonObject) => type === "Prepend" && prepend === MARK;

/** Gemma's file divides texts at spaces, of which the normalizer has left none. */
const isIdle = (pre: JsonValue) =>
  isObject(pre) &&
  pre["type"] === "Split" &&
  isObject(pre["pattern"]) &&
  pre["pattern"]["String"] === " " &&
  pre["invert"] !== true;

function ofMetaspace(step: JsonObject): Spaces | undefined {
  const { type, replacement, split, prepend_scheme: scheme, add_prefix_space: adds } = step;
  if (type !== "Metaspace" || replacement !== MARK || split !== false) return undefined;
  switch (scheme ?? (adds === false ? "never" : "always")) {
    case "never":
      return { prefix: false };
    case "first":
      return {
        prefix: false,
        problem: "it puts a space before the beginning of a text alone, which llama.cpp does not",
        note: "no space is put before a text: begin one that is no conversation with a space",
      };
    case "always":
      return {
        prefix: true,
        problem: "it puts no space before a text that begins with one, llama.cpp before any",
        note: "texts that begin with a space get one more",
      };
    default:
      return undefined;
  }
}

function flatten(step: JsonValue | undefined, parts: string): JsonObject[] {
  if (!isObject(step)) return [];
  const inner = step[parts];
  return Array.isArray(inner) ? inner.flatMap((each) => flatten(each, parts)) : [step];
}

function problemOf(json: JsonObject, tokens: readonly string[]): string | undefined {
  const { vocab, ignore_merges: ignores } = json["model"] as JsonObject;
  if (ignores === true) return "ignore_merges";
  const words = isObject(vocab) ? vocab : {};
  const marked = markedOf(json).find(({ content }) => !Object.hasOwn(words, String(content)));
  if (marked) return `an added token with ${MARK}, ${JSON.stringify(marked["content"])}`;
  const known = new Set(tokens);
  const bytes = Array.from({ length: 256 }, (_, byte) => byteTokenOf(byte));
  // Below 128 a byte is a character, which may be a token itself, as Gemma's tab is.
  const missing = bytes.find(
    (token, byte) => !known.has(token) && !(byte < 128 && known.has(String.fromCharCode(byte))),
  );
  return missing === undefined ? undefined : `it has no token ${missing} for a byte`;
}
