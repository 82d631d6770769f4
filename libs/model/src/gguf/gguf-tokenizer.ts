/** A byte-level BPE tokenizer in llama.cpp's words; it has the patterns of texts built in, by names. */
import { StagecraftError, type JsonObject, type JsonValue } from "@stagecraft/core";
import { isObject } from "../hf-reader.js";
import type { GgufValue } from "./gguf-file.js";

const LLAMA3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** Patterns of `Split`, and llama.cpp's names for them. */
const PATTERNS: Readonly<Record<string, string>> = {
  [LLAMA3]: "llama-bpe",
  [LLAMA3.replace("{1,3}", "")]: "qwen2",
};

/** Names that `--pre` takes: the nearest one, where llama.cpp has not the pattern itself. */
const PRE_TOKENIZERS = ["gpt-2", "llama-bpe", "qwen2", "smollm"];

const [NORMAL, CONTROL, USER_DEFINED, UNUSED] = [1, 3, 4, 5] as const;

export interface GgufTokenizerOptions {
  /** Rows of the model's embeddings. */
  vocabSize: number;
  /** A name of `PRE_TOKENIZERS` in the place of the tokenizer's own pattern. */
  pre?: string | undefined;
  /** Where the files come from, for messages. */
  origin: string;
}

/** Metadata of a model's tokenizer. Throws `unimplemented` for one that llama.cpp would not follow. */
export function ggufTokenizer(
  files: Readonly<Record<string, string>>,
  { vocabSize, pre, origin }: GgufTokenizerOptions,
): Map<string, GgufValue> {
  const json = parse(files["tokenizer.json"]);
  const config = parse(files["tokenizer_config.json"]);
  const model = isObject(json["model"]) ? json["model"] : {};
  const problems = problemsOf(json, model);
  if (pre !== undefined && !PRE_TOKENIZERS.includes(pre)) {
    const names = PRE_TOKENIZERS.join(", ");
    throw new StagecraftError("invalid_argument", `--pre must be one of ${names}, got ${pre}`);
  }
  const name = pre ?? preOf(json["pre_tokenizer"]);
  if (name === undefined) {
    problems.push(
      `a pattern of words that llama.cpp has not; --pre ${PRE_TOKENIZERS.join("|")} takes the nearest one, ` +
        "and some texts get other tokens then",
    );
  }
  if (problems.length > 0 || name === undefined) {
    throw new StagecraftError("unimplemented", `tokenizer of ${origin}: ${problems.join("; ")}`);
  }
  const { tokens, types } = tokensOf(json, model, vocabSize);
  const metadata = new Map<string, GgufValue>([
    ["tokenizer.ggml.model", "gpt2"],
    ["tokenizer.ggml.pre", name],
    ["tokenizer.ggml.tokens", { strings: tokens }],
    ["tokenizer.ggml.token_type", { i32s: types }],
    ["tokenizer.ggml.merges", { strings: mergesOf(model["merges"]) }],
    ["tokenizer.ggml.add_bos_token", addsBos(json, config)],
  ]);
  const end = firstEnd(parse(files["generation_config.json"])["eos_token_id"]);
  for (const [field, id] of [
    ["bos", idOf(config["bos_token"], tokens)],
    ["eos", end ?? idOf(config["eos_token"], tokens)],
    ["padding", idOf(config["pad_token"], tokens)],
  ] as const) {
    if (id !== undefined) metadata.set(`tokenizer.ggml.${field}_token_id`, { u32: id });
  }
  const template = files["chat_template.jinja"] ?? config["chat_template"];
  if (typeof template === "string") metadata.set("tokenizer.chat_template", template);
  return metadata;
}

function problemsOf(json: JsonObject, model: JsonObject): string[] {
  const { type, byte_fallback: fallback, ignore_merges: ignores } = model;
  const isBytes = JSON.stringify(json["pre_tokenizer"] ?? null).includes('"ByteLevel"');
  return [
    ...(type === "BPE" && fallback !== true && isBytes ? [] : ["it is no byte-level BPE"]),
    ...(json["normalizer"] == null ? [] : ["a normalizer"]),
    ...(ignores === true && preOf(json["pre_tokenizer"]) !== "llama-bpe" ? ["ignore_merges"] : []),
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

function tokensOf(json: JsonObject, { vocab }: JsonObject, vocabSize: number) {
  const tokens = Array.from({ length: vocabSize }, (_, id) => `[PAD${id}]`);
  const types: number[] = tokens.map(() => UNUSED);
  for (const [token, id] of Object.entries(isObject(vocab) ? vocab : {})) {
    tokens[id as number] = token;
    types[id as number] = NORMAL;
  }
  const added = Array.isArray(json["added_tokens"]) ? json["added_tokens"].filter(isObject) : [];
  for (const { id, content, special } of added) {
    tokens[id as number] = String(content);
    types[id as number] = special === true ? CONTROL : USER_DEFINED;
  }
  return { tokens, types };
}

const mergesOf = (merges: JsonValue | undefined) =>
  (Array.isArray(merges) ? merges : []).map((merge) =>
    Array.isArray(merge) ? merge.join(" ") : String(merge),
  );

/** Whether texts begin with the token that begins a document. */
function addsBos(json: JsonObject, config: JsonObject): boolean {
  const bos = nameOf(config["bos_token"]);
  const processor = JSON.stringify(json["post_processor"] ?? null);
  return (
    bos !== undefined &&
    (config["add_bos_token"] === true || processor.includes(JSON.stringify(bos)))
  );
}

const nameOf = (token: JsonValue | undefined) => {
  const name = isObject(token) ? token["content"] : token;
  return typeof name === "string" ? name : undefined;
};

function idOf(token: JsonValue | undefined, tokens: readonly string[]): number | undefined {
  const id = tokens.indexOf(nameOf(token) ?? "");
  return id < 0 ? undefined : id;
}

const firstEnd = (ids: JsonValue | undefined) => {
  const first = Array.isArray(ids) ? ids[0] : ids;
  return typeof first === "number" ? first : undefined;
};

const parse = (text: string | undefined) => JSON.parse(text ?? "{}") as JsonObject;
