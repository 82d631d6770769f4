import { readFile } from "node:fs/promises";
import { StagecraftError } from "@stagecraft/core";
import {
  loadTokenizer,
  NAMED_TEMPLATES,
  withChatTemplate,
  type Tokenizer,
} from "@stagecraft/tokenizer";

/** The file that the option names, if it names one. */
export function chatTemplateFile(chatTemplate: string): string[] {
  return chatTemplate === "" || Object.hasOwn(NAMED_TEMPLATES, chatTemplate) ? [] : [chatTemplate];
}

/** The model's tokenizer, with the chat template that was asked for in the place of its own. */
export async function tokenizerForChat(options: {
  model: string;
  chatTemplate: string;
}): Promise<Tokenizer> {
  const tokenizer = await loadTokenizer(options.model);
  if (options.chatTemplate === "") return tokenizer;
  return withChatTemplate(tokenizer, await templateText(options.chatTemplate));
}

async function templateText(chatTemplate: string): Promise<string> {
  if (Object.hasOwn(NAMED_TEMPLATES, chatTemplate)) return NAMED_TEMPLATES[chatTemplate]!;
  try {
    return await readFile(chatTemplate, "utf8");
  } catch (cause) {
    const names = Object.keys(NAMED_TEMPLATES).join(", ");
    throw new StagecraftError(
      "not_found",
      `chatTemplate: ${chatTemplate} is neither a file that can be read nor one of ${names}`,
      { cause },
    );
  }
}
