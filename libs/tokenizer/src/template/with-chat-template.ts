import { StagecraftError } from "@stagecraft/core";
import { tokenizerFromFiles } from "../load-tokenizer.js";
import { specialTokenEntry, type TokenizerJson } from "../tokenizer-json.js";
import type { Tokenizer } from "../tokenizer.js";
import { compileTemplate, type ChatTemplate } from "./jinja-template.js";
import { TEMPLATE_FILE, templateSourceOf } from "./template-source.js";

/** Names that are tokens beyond doubt: `<|im_end|>`, DeepSeek's `<｜User｜>`, EXAONE's `[|assistant|]`. */
const TOKEN_NAME = /<\|[^|<>\s'"]+\|>|<｜[^｜<>\s'"]+｜>|\[\|[^|[\]\s'"]+\|\]/g;

/** Conversations whose renderings show the names that a template puts together. */
const SHOWN = ["system", "user"].map((first) => [
  ...(first === "system" ? [{ role: "system", content: "a" }] : []),
  ...[{ role: "user", content: "a" }],
  ...[{ role: "assistant", content: "a" }],
]);

/**
 * The tokenizer with a chat template in the place of its own. Tokens that the template writes and the
 * tokenizer lacks are added behind the others: the model needs a row for each (`vocabSize`).
 * @param text in Jinja
 * @param chatTokens further names of tokens, such as `<start_of_turn>`, which might be text as well
 * @throws `invalid_argument` for a template that cannot be parsed, or a name that it does not write
 */
export function withChatTemplate(
  tokenizer: Tokenizer,
  text: string,
  chatTokens: readonly string[] = [],
): Tokenizer {
  const { [TEMPLATE_FILE]: _, ...others } = tokenizer.files();
  const config = JSON.parse(others["tokenizer_config.json"] ?? "{}") as object;
  const changed = JSON.stringify({ ...config, chat_template: text }, null, 2);
  const files: Record<string, string> = { ...others, "tokenizer_config.json": changed };
  const written = [text, ...renderings(compileTemplate(templateSourceOf(files)!))];
  checkWritten(chatTokens, written);
  const found = written.flatMap((each) => each.match(TOKEN_NAME) ?? []);
  const names = [...new Set([...found, ...chatTokens])];
  const missing = names.filter((name) => tokenizer.idOf(name) === undefined);
  if (missing.length === 0) return tokenizerFromFiles(files);
  const json = JSON.parse(files["tokenizer.json"]!) as TokenizerJson;
  const added = missing.map((name, i) => specialTokenEntry(tokenizer.vocabSize + i, name));
  json.added_tokens = [...(json.added_tokens ?? []), ...added];
  return tokenizerFromFiles({ ...files, "tokenizer.json": JSON.stringify(json) });
}

function renderings(template: ChatTemplate): string[] {
  return SHOWN.flatMap((messages) => {
    try {
      return [
        template.render(messages),
        template.render(messages.slice(0, -1), { addGenerationPrompt: true }),
      ];
    } catch (thrown) {
      if (thrown instanceof StagecraftError) return []; // it may have no system turn
      throw thrown;
    }
  });
}

function checkWritten(chatTokens: readonly string[], written: readonly string[]): void {
  const strange = chatTokens.find((name) => !written.some((text) => text.includes(name)));
  if (strange === undefined) return;
  throw new StagecraftError(
    "invalid_argument",
    `chatTokens: the chat template does not write "${strange}"; leave it out, or correct its spelling`,
    { details: { field: "chatTokens" } },
  );
}
