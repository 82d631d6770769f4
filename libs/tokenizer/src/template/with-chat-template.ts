import { tokenizerFromFiles } from "../load-tokenizer.js";
import { specialTokenEntry, type TokenizerJson } from "../tokenizer-json.js";
import type { Tokenizer } from "../tokenizer.js";
import { TEMPLATE_FILE } from "./template-source.js";

/** Names as chat templates spell their tokens: `<|im_end|>`. */
const TOKEN_NAME = /<\|\w+\|>/g;

/**
 * The tokenizer with a chat template in the place of its own. Tokens that the template spells `<|…|>` and
 * the tokenizer lacks are added behind the others: the model needs a row for each (`vocabSize`).
 * @param text in Jinja
 * @throws `invalid_argument` for a template that cannot be parsed
 */
export function withChatTemplate(tokenizer: Tokenizer, text: string): Tokenizer {
  const { [TEMPLATE_FILE]: _, ...files } = tokenizer.files();
  const config = JSON.parse(files["tokenizer_config.json"] ?? "{}") as object;
  const json = JSON.parse(files["tokenizer.json"]!) as TokenizerJson;
  const names = [...new Set(text.match(TOKEN_NAME))];
  const missing = names.filter((name) => tokenizer.idOf(name) === undefined);
  const added = missing.map((name, i) => specialTokenEntry(tokenizer.vocabSize + i, name));
  json.added_tokens = [...(json.added_tokens ?? []), ...added];
  return tokenizerFromFiles({
    ...files,
    ...(added.length > 0 ? { "tokenizer.json": JSON.stringify(json) } : {}),
    "tokenizer_config.json": JSON.stringify({ ...config, chat_template: text }, null, 2),
  });
}
