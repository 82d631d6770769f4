import type { JsonObject } from "@stagecraft/core";
import { isObject } from "../hf-reader.js";

/** llama.cpp's types of tokens. */
const [NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE] = [1, 2, 3, 4, 5, 6] as const;

/** The tokens of a tokenizer.json by their ids, one for each row of the embeddings, and llama.cpp's type of each. */
export function ggufTokens(json: JsonObject, options: { vocabSize: number; isPieces: boolean }) {
  const { vocabSize, isPieces } = options;
  const { vocab, unk_token: unknown } = isObject(json["model"]) ? json["model"] : {};
  const tokens = Array.from({ length: vocabSize }, (_, id) => `[PAD${id}]`);
  const types: number[] = tokens.map(() => UNUSED);
  for (const [token, id] of Object.entries(isObject(vocab) ? vocab : {})) {
    tokens[id as number] = token;
    types[id as number] = isPieces && isByteToken(token) ? BYTE : NORMAL;
  }
  for (const { id, content, special } of addedOf(json)) {
    if (!((id as number) < vocabSize)) continue; // Gemma 3's token for images has no row
    tokens[id as number] = String(content);
    types[id as number] = special === true ? CONTROL : USER_DEFINED;
  }
  for (const { id } of isPieces ? markedOf(json) : []) types[id as number] = NORMAL;
  const unknownId = isPieces && typeof unknown === "string" ? tokens.indexOf(unknown) : -1;
  if (unknownId >= 0) types[unknownId] = UNKNOWN;
  return { tokens, types, ...(unknownId >= 0 && { unknownId }) };
}

/** Entries of `added_tokens`. */
export const addedOf = ({ added_tokens: added }: JsonObject) =>
  Array.isArray(added) ? added.filter(isObject) : [];

/**
 * Added tokens that spell spaces as sentencepiece does, as Gemma's runs of them are. llama.cpp shows the ▁ of
 * a token that users defined as it is.
 */
export const markedOf = (json: JsonObject) =>
  addedOf(json).filter(({ content, special }) => {
    return special !== true && String(content).includes("▁");
  });

/** The token that stands for a byte, as sentencepiece spells it. */
export const byteTokenOf = (byte: number) =>
  `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;

const isByteToken = (token: string) => /^<0x[0-9A-F]{2}>$/.test(token);
