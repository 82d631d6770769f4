import type { SpecialIds } from "./tokenizer.js";

/** The special tokens of Stagecraft's own tokenizers, by meaning. */
export const SPECIAL_TOKENS = {
  pad: "<|pad|>",
  bos: "<|bos|>",
  eos: "<|end|>",
  system: "<|system|>",
  user: "<|user|>",
  assistant: "<|assistant|>",
} as const satisfies Record<keyof SpecialIds, string>;

/** The default list, in the order of their ids 0 … 5. */
export const DEFAULT_SPECIAL_TOKENS: readonly string[] = Object.values(SPECIAL_TOKENS);

/** Looks every special token up by its own name. */
export function ownSpecialIds(idOf: (token: string) => number | undefined): SpecialIds {
  return {
    pad: idOf(SPECIAL_TOKENS.pad),
    bos: idOf(SPECIAL_TOKENS.bos),
    eos: idOf(SPECIAL_TOKENS.eos),
    system: idOf(SPECIAL_TOKENS.system),
    user: idOf(SPECIAL_TOKENS.user),
    assistant: idOf(SPECIAL_TOKENS.assistant),
  };
}
