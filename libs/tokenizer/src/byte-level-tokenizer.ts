import { StagecraftError } from "@stagecraft/core";
import { addedTokenSplitter } from "./added-tokens.js";
import { assembleTokenizer } from "./assemble-tokenizer.js";
import { BpeEncoder } from "./bpe-encoder.js";
import type { MergeRules } from "./bpe-merges.js";
import { alphabetToBytes, bytesToAlphabet } from "./byte-alphabet.js";
import { IntBuffer } from "./int-buffer.js";
import { namedSpecialIds } from "./named-specials.js";
import { compileNormalizer } from "./normalizer.js";
import { PairTable } from "./pair-table.js";
import { compilePreTokenizer } from "./pre-tokenizer.js";
import { textsAndBytes } from "./text-pieces.js";
import type { ModelJson, TokenizerJson } from "./tokenizer-json.js";
import type { Tokenizer } from "./tokenizer.js";
import { Vocabulary, type VocabularyEntry } from "./vocabulary.js";

/**
 * A tokenizer from the text of a byte-level BPE tokenizer.json, ours or a foreign one.
 * @param files tokenizer.json and what else stands beside it, kept for `files()`
 * @throws `unimplemented` when the file uses what this library does not do, naming it
 */
export function createByteLevelTokenizer(
  kind: Tokenizer["kind"],
  files: Readonly<Record<string, string>>,
): Tokenizer {
  const json = JSON.parse(files["tokenizer.json"]!) as TokenizerJson;
  checkModel(json.model);
  const vocabulary = new Vocabulary(vocabularyEntries(json));
  const encoder = new BpeEncoder({
    preTokenize: compilePreTokenizer(json.pre_tokenizer),
    inWindows: hasOneRegex(json),
    byteIds: byteIds(json.model),
    rules: mergeRules(json.model),
    ...(json.model.ignore_merges ? { wholePieces: wholePieces(json.model) } : {}),
  });
  const normalize = compileNormalizer(json.normalizer);
  const split = addedTokenSplitter(json.added_tokens ?? [], normalize);
  const encodeInto = (text: string, out: IntBuffer) => {
    for (const part of split?.(text) ?? [{ text: normalize(text) }]) {
      if ("id" in part) out.push(part.id);
      else encoder.encodeInto(part.text, out);
    }
  };
  return assembleTokenizer({
    kind,
    vocabulary,
    specials: namedSpecialIds(files, (token) => vocabulary.idOf(token)),
    encode(text) {
      const out = new IntBuffer(16 + (text.length >> 2));
      encodeInto(text, out);
      return out.toArray();
    },
    encodeBytes(bytes) {
      const out = new IntBuffer(16 + (bytes.length >> 2));
      for (const part of textsAndBytes(bytes)) {
        if (typeof part === "string") encodeInto(part, out);
        else encoder.encodeRaw(part, out);
      }
      return out.toArray();
    },
    files,
  });
}

function checkModel(model: ModelJson): void {
  const problem =
    model.type !== "BPE"
      ? `the model "${model.type}"`
      : model.continuing_subword_prefix || model.end_of_word_suffix
        ? "subword prefixes or suffixes"
        : undefined;
  if (problem === undefined) return;
  throw new StagecraftError(
    "unimplemented",
    `tokenizer.json uses ${problem}; only byte-level BPE (GPT-2, Llama 3 style) can be loaded`,
  );
}

function vocabularyEntries(json: TokenizerJson): VocabularyEntry[] {
  const text = (content: string) => new Uint8Array(Buffer.from(content, "utf8"));
  const entries = Object.entries(json.model.vocab).map(([token, id]) => ({
    id,
    token,
    bytes: alphabetToBytes(token) ?? text(token),
    special: false,
  }));
  const added = (json.added_tokens ?? []).map(({ id, content, special }) => ({
    id,
    token: content,
    bytes: text(content),
    special,
  }));
  return [...entries, ...added];
}

function byteIds(model: ModelJson): Int32Array {
  const vocab = new Map(Object.entries(model.vocab));
  return Int32Array.from({ length: 256 }, (_, byte) => {
    const id = vocab.get(bytesToAlphabet([byte]));
    if (id !== undefined) return id;
    throw new StagecraftError(
      "invalid_argument",
      `tokenizer.json has no token for the byte 0x${byte.toString(16).padStart(2, "0")}`,
    );
  });
}

function mergeRules({ vocab, merges }: ModelJson): MergeRules {
  const ids = new Map(Object.entries(vocab));
  const pairs = new PairTable();
  const results: number[] = [];
  merges.forEach((merge, index) => {
    const [left = "", right = ""] = typeof merge === "string" ? merge.split(" ") : merge;
    const [leftId, rightId, result] = [ids.get(left), ids.get(right), ids.get(left + right)];
    if (leftId === undefined || rightId === undefined || result === undefined) {
      throw new StagecraftError(
        "invalid_argument",
        `tokenizer.json: merge ${index} (${left} ${right}) names a token that is not in the vocabulary`,
      );
    }
    if (pairs.intern(leftId, rightId) === results.length) results.push(result);
  });
  return { pairs, results: Int32Array.from(results) };
}

function wholePieces(model: ModelJson): Map<string, number> {
  const pieces = new Map<string, number>();
  for (const [token, id] of Object.entries(model.vocab)) {
    const bytes = alphabetToBytes(token);
    const piece = bytes && Buffer.from(bytes).toString("utf8");
    if (piece !== undefined && !piece.includes("\ufffd")) pieces.set(piece, id);
  }
  return pieces;
}

function hasOneRegex({ pre_tokenizer: json }: TokenizerJson): boolean {
  const steps = json?.pretokenizers ?? (json ? [json] : []);
  const regexes = steps.map(
    (step) => step.pattern?.Regex ?? (step.use_regex !== false ? "" : undefined),
  );
  const used = regexes.filter((regex) => regex !== undefined);
  const plain = !steps.some((step) => step.add_prefix_space || step.pretokenizers || step.invert);
  return plain && used.length === 1 && !used[0]!.includes("(?<");
}
