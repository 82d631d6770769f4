import { CHAT_TEMPLATE } from "./chat-template.js";
import { SPECIAL_TOKENS } from "./special-tokens.js";
import type { Tokenizer } from "./tokenizer.js";

/** The key that marks a tokenizer as ours, so that loading gives the kind it was saved with. */
export const KIND_KEY = "stagecraft_kind";

/** tokenizer_config.json for `transformers`: special tokens by name and the chat template. */
export function tokenizerConfig(
  kind: Tokenizer["kind"],
  specialTokens: readonly string[],
): Record<string, unknown> {
  const named = (token: string) => (specialTokens.includes(token) ? token : null);
  const { pad, bos, eos, ...roles } = SPECIAL_TOKENS;
  const hasChat = Object.values(SPECIAL_TOKENS).every((token) => specialTokens.includes(token));
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    [KIND_KEY]: kind,
    bos_token: named(bos),
    eos_token: named(eos),
    pad_token: named(pad),
    additional_special_tokens: Object.values(roles).filter((token) =>
      specialTokens.includes(token),
    ),
    clean_up_tokenization_spaces: false,
    model_max_length: 1_000_000_000,
    ...(hasChat ? { chat_template: CHAT_TEMPLATE } : {}),
  };
}
