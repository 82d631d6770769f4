import { StagecraftError } from "@stagecraft/core";
import { byteAlphabet, characterAlphabet } from "./bpe-alphabet.js";
import { BpeEncoder } from "./bpe-encoder.js";
import type { MergeRules } from "./bpe-merges.js";
import { PairTable } from "./pair-table.js";
import type { PieceModel } from "./piece-model.js";
import type { TokenList } from "./token-list.js";
import type { ModelJson } from "./tokenizer-json.js";

/**
 * The model "BPE" of tokenizer.json, over bytes or over characters.
 * @throws `unimplemented` for prefixes or suffixes of subwords, `invalid_argument` for a broken file
 */
export function bpeModel(model: ModelJson, list: TokenList, isByteLevel: boolean): PieceModel {
  if (model.continuing_subword_prefix || model.end_of_word_suffix) {
    throw new StagecraftError(
      "unimplemented",
      "tokenizer.json uses subword prefixes or suffixes, which are not supported",
    );
  }
  const encoder = new BpeEncoder({
    alphabet: isByteLevel ? byteAlphabet(list) : characterAlphabet(model, list),
    rules: mergeRules(model, list),
    ...(model.ignore_merges ? { wholeId: list.idOf } : {}),
  });
  const cut = isByteLevel || model.ignore_merges ? undefined : wordsOf(list);
  return {
    encodePiece(piece, out) {
      if (cut === undefined) return encoder.encodePiece(piece, out);
      for (const word of cut(piece)) encoder.encodePiece(word, out);
    },
    encodeRaw: (bytes, out) => encoder.encodeRaw(bytes, out),
  };
}

function mergeRules({ merges }: ModelJson, { table }: TokenList): MergeRules {
  const pairs = new PairTable(merges.length);
  const results = new Int32Array(merges.length);
  let count = 0;
  let place = 0;
  for (let index = 0; index < merges.length; index++) {
    const merge = merges[index]!;
    const text = typeof merge === "string" ? merge : merge[0];
    const second = typeof merge === "string" ? merge : merge[1];
    const [leftEnd, rightStart] = typeof merge === "string" ? gapOf(merge) : [text.length, 0];
    const left = table.findJoined(text, leftEnd, "");
    const right = table.findJoined("", 0, second, rightStart);
    place = table.placeOfJoined(text, leftEnd, second, rightStart, Math.max(0, place));
    if (left < 0 || right < 0 || place < 0) throw unknownMerge(merge, index);
    if (pairs.intern(left, right) === count) results[count++] = table.idAt(place);
  }
  return { pairs, results: results.subarray(0, count) };
}

/** Where the first token of a merge in one string ends, and where its second one starts. */
function gapOf(merge: string): [leftEnd: number, rightStart: number] {
  const gap = merge.indexOf(" ");
  return gap < 0 ? [merge.length, merge.length] : [gap, gap + 1];
}

function unknownMerge(merge: ModelJson["merges"][number], index: number): StagecraftError {
  const shown = typeof merge === "string" ? merge : merge.join(" ");
  return new StagecraftError(
    "invalid_argument",
    `tokenizer.json: merge ${index} (${shown}) names a token that is not in the vocabulary`,
  );
}

const MARK = "▁";

/**
 * Where sentencepiece's models have no pre-tokenizer, a whole text is one piece. It may be cut before a
 * space, spelled ▁, after a character that stands before one in no token: no merge can reach over it.
 * The words are the same ones again and again, and remembered.
 */
function wordsOf({ tokens, idOf }: TokenList): (piece: string) => string[] {
  if (idOf(MARK) === undefined) return (piece) => [piece];
  const joined = new Set<string>(MARK);
  for (const token of tokens) {
    for (let at = token.indexOf(MARK, 1); at > 0; at = token.indexOf(MARK, at + 1)) {
      joined.add(/.$/su.exec(token.slice(0, at))![0]);
    }
  }
  const kept = [...joined].map((char) => `\\u{${char.codePointAt(0)!.toString(16)}}`).join("");
  const places = new RegExp(`(?<=[^${kept}])(?=${MARK})`, "u");
  return (piece) => piece.split(places);
}
