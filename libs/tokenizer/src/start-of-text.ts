import type { Tokenizer } from "./tokenizer.js";

/**
 * The ids that a text begins with that a model is to continue: what it saw before texts when it learnt.
 * Of foreign tokenizers those that Hugging Face puts there, of ours `<|bos|>`.
 */
export function startOfText(tokenizer: Tokenizer): readonly number[] {
  if (tokenizer.kind === "external") return tokenizer.textAffixes.before;
  const { bos } = tokenizer.specials;
  return bos === undefined ? [] : [bos];
}
