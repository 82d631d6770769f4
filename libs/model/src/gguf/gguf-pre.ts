/** How texts are divided into words: llama.cpp has the patterns built in, by names. */
import { StagecraftError, type JsonObject, type JsonValue } from "@stagecraft/core";
import type { Tokenizer } from "@stagecraft/tokenizer";
import { isObject } from "../hf-reader.js";
import type { GgufWords, WordsOptions } from "./gguf-words.js";

/** Llama 3's pattern, as its tokenizer.json has it. */
export const LLAMA3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** Patterns of `Split`, and llama.cpp's names for them. */
const PATTERNS: Readonly<Record<string, string>> = {
  [LLAMA3]: "llama-bpe",
  [LLAMA3.replace("{1,3}", "")]: "qwen2",
};

/** Names that `--pre` takes: the nearest one, where llama.cpp has not the pattern itself. */
const PRE_TOKENIZERS = ["gpt-2", "llama-bpe", "qwen2", "smollm"];

/** Metadata of a byte-level BPE; throws `unimplemented` for a tokenizer that llama.cpp cannot follow. */
export function byteWords(json: JsonObject, { pre, origin }: WordsOptions): GgufWords {
  const model = isObject(json["model"]) ? json["model"] : {};
  const name = requirePre(json, { model, pre, origin });
  const isOwn = name === preOf(json["pre_tokenizer"]);
  const notes: string[] = [];
  if (!isOwn) {
    notes.push(`texts are divided into words as ${name} does: some get other tokens`);
  }
  if (json["normalizer"] != null) {
    notes.push("texts are not normalized: some, such as decomposed letters, get other tokens");
  }
  if (CLEANS_SPACES.has(name)) {
    notes.push("where llama.cpp makes a whole text of tokens it leaves out spaces before . , ? !");
  }
  return {
    metadata: [
      ["tokenizer.ggml.model", "gpt2"],
      ["tokenizer.ggml.pre", name],
      ["tokenizer.ggml.merges", { strings: mergesOf(model["merges"]) }],
    ],
    notes,
    takesWholeWords: name === "llama-bpe" && isOwn,
  };
}

const mergesOf = (merges: JsonValue | undefined) =>
  (Array.isArray(merges) ? merges : []).map((merge) =>
    Array.isArray(merge) ? merge.join(" ") : String(merge),
  );

/** Patterns with which `llama_detokenize` does as `clean_up_tokenization_spaces`; no metadata says otherwise. */
const CLEANS_SPACES: ReadonlySet<string> = new Set(["gpt-2", "llama-bpe"]);

/** llama.cpp's name of the pattern. */
function requirePre(
  json: JsonObject,
  { model, pre, origin }: { model: JsonObject; pre: string | undefined; origin: string },
): string {
  if (pre !== undefined && !PRE_TOKENIZERS.includes(pre)) {
    const names = PRE_TOKENIZERS.join(", ");
    throw new StagecraftError("invalid_argument", `--pre must be one of ${names}, got ${pre}`);
  }
  const problems = problemsOf(json, model);
  const name = pre ?? preOf(json["pre_tokenizer"]);
  if (name === undefined) problems.push("a pattern of words that llama.cpp has not");
  if (pre === undefined && json["normalizer"] != null) {
    problems.push(`a normalizer, which llama.cpp has not`);
  }
  if (problems.length === 0 && name !== undefined) return name;
  const way = isBytes(json, model)
    ? `; --pre ${PRE_TOKENIZERS.join("|")} takes the nearest, and some texts get other tokens then`
    : "";
  throw new StagecraftError(
    "unimplemented",
    `tokenizer of ${origin}: ${problems.join("; ")}${way}`,
  );
}

function isBytes(json: JsonObject, { type, byte_fallback: fallback }: JsonObject): boolean {
  const isByteLevel = JSON.stringify(json["pre_tokenizer"] ?? null).includes('"ByteLevel"');
  return type === "BPE" && fallback !== true && isByteLevel;
}

function problemsOf(json: JsonObject, model: JsonObject): string[] {
  const isLlama3 = preOf(json["pre_tokenizer"]) === "llama-bpe";
  return [
    ...(isBytes(json, model) ? [] : ["it is neither byte-level BPE nor BPE with tokens of bytes"]),
    ...(model["ignore_merges"] === true && !isLlama3 ? ["ignore_merges"] : []),
  ];
}

function preOf(pre: JsonValue | undefined): string | undefined {
  if (!isObject(pre)) return undefined;
  if (isPlainByteLevel(pre, true)) return "gpt-2";
  const parts = Array.isArray(pre["pretokenizers"]) ? pre["pretokenizers"].filter(isObject) : [];
  const [first = {}, second = {}] = parts;
  if (parts.length !== 2) return undefined;
  if (first["type"] === "Digits" && first["individual_digits"] === true) {
    return isPlainByteLevel(second, true) ? "smollm" : undefined;
  }
  const { type, pattern, behavior, invert } = first;
  const isSplit = type === "Split" && behavior === "Isolated" && invert !== true;
  const regex = isObject(pattern) ? pattern["Regex"] : undefined;
  return isSplit && typeof regex === "string" && isPlainByteLevel(second, false)
    ? PATTERNS[regex]
    : undefined;
}

const isPlainByteLevel = (pre: JsonObject, usesRegex: boolean) =>
  pre["type"] === "ByteLevel" &&
  pre["add_prefix_space"] !== true &&
  (pre["use_regex"] ?? true) === usesRegex;

/**
 * llama.cpp takes a word of the vocabulary as one token where the pattern is Llama 3's. Throws
 * `unimplemented` for a tokenizer that merges its parts to something else.
 */
export function requireWholeWords(
  tokenizer: Tokenizer,
  { ignore_merges: ignores, vocab }: JsonObject,
  origin: string,
): void {
  if (ignores === true || !isObject(vocab)) return;
  const other = Object.values(vocab).find((id) => {
    const text = tokenizer.decode([id as number]);
    const isText = text !== "" && !text.includes("\ufffd"); // special tokens are none, nor parts of letters
    return isText && tokenizer.encode(text).length !== 1;
  });
  if (other === undefined) return;
  const token = JSON.stringify(tokenizer.decode([other as number]));
  throw new StagecraftError(
    "unimplemented",
    `tokenizer of ${origin}: ${token} is a token that its merges do not make; llama.cpp would take it`,
  );
}
