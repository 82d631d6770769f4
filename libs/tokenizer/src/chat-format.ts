import { StagecraftError } from "@stagecraft/core";
import { CHAT_TEMPLATE } from "./chat-template.js";
import type { ChatFormat, ChatTokens } from "./chat-types.js";
import { ownFormat } from "./own-format.js";
import { templateFormat } from "./template/template-format.js";
import { templateSourceOf } from "./template/template-source.js";

const formats = new WeakMap<ChatTokens, ChatFormat>();

/** The format of a tokenizer's conversations; throws `failed_precondition` when it has none. */
export function chatFormatOf(tokenizer: ChatTokens): ChatFormat {
  const format = findChatFormat(tokenizer);
  if (format) return format;
  throw new StagecraftError(
    "failed_precondition",
    "this tokenizer has no chat template (neither chat_template in tokenizer_config.json nor " +
      "chat_template.jinja) and not the chat tokens of ours, so conversations cannot be rendered; " +
      'give one by --chat-template FILE or NAME to "stagecraft sft", or train a tokenizer with the ' +
      "default special tokens",
  );
}

/**
 * As `chatFormatOf`, undefined when the tokenizer has none: a format is never guessed from the names of
 * tokens. Throws `invalid_argument` for a template that cannot be parsed.
 * @param files those of the tokenizer
 */
export function findChatFormat(
  tokenizer: ChatTokens,
  files: Readonly<Record<string, string>> = tokenizer.files(),
): ChatFormat | undefined {
  const known = formats.get(tokenizer);
  if (known) return known;
  const source = templateSourceOf(files);
  const isOwn = source === undefined || source.text === CHAT_TEMPLATE;
  const format =
    (isOwn ? ownFormat(tokenizer) : undefined) ?? (source && templateFormat(tokenizer, source));
  if (format) formats.set(tokenizer, format);
  return format;
}
