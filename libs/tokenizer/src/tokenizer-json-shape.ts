import { StagecraftError } from "@stagecraft/core";
import { isId } from "./token-list.js";
import type { TokenizerJson } from "./tokenizer-json.js";

type Json = Record<string, unknown>;

/**
 * A parsed tokenizer.json whose parts have the shapes that readers rely on; `listTokens` checks the ids.
 * @throws `invalid_argument` with the part that is broken
 */
export function checkedTokenizerJson(json: Json): TokenizerJson {
  const { model, added_tokens: added = [] } = json;
  const problem = !isObject(model)
    ? `"model" is missing`
    : !Array.isArray(added) || !added.every(isAddedToken)
      ? `"added_tokens" must be a list of tokens with id and content`
      : problemOfModel(model);
  if (problem === undefined) return json as unknown as TokenizerJson;
  throw new StagecraftError("invalid_argument", `tokenizer.json is broken: ${problem}`);
}

function problemOfModel({ type, vocab, merges, unk_id: unknown }: Json): string | undefined {
  if (type === "Unigram") return problemOfUnigram(vocab, unknown);
  if (type !== "BPE") return undefined; // reported with its name where models are made
  if (!isObject(vocab)) return `"model.vocab" must map tokens to ids`;
  const areMerges = Array.isArray(merges) && merges.every(isMerge);
  return areMerges ? undefined : `"model.merges" must be a list of pairs`;
}

function problemOfUnigram(vocab: unknown, unknown: unknown): string | undefined {
  const isEntry = (entry: unknown) =>
    Array.isArray(entry) && typeof entry[0] === "string" && typeof entry[1] === "number";
  if (!Array.isArray(vocab) || vocab.length === 0 || !vocab.every(isEntry)) {
    return `"model.vocab" must be a list of tokens with scores`;
  }
  const isKnown = (unknown ?? null) === null || (isId(unknown) && unknown < vocab.length);
  return isKnown ? undefined : `"model.unk_id" is no id of "model.vocab"`;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isMerge(value: unknown): boolean {
  return typeof value === "string" || (Array.isArray(value) && value.every(isString));
}

function isString(value: unknown): boolean {
  return typeof value === "string";
}

function isAddedToken(value: unknown): value is { id: number } {
  return isObject(value) && isId(value["id"]) && typeof value["content"] === "string";
}
