import { readFile } from "node:fs/promises";
import { StagecraftError } from "@stagecraft/core";
import { loadTokenizer } from "../load-tokenizer.js";
import type { Tokenizer } from "../tokenizer.js";
import { NAMED_TEMPLATES } from "./named-templates.js";
import { withChatTemplate } from "./with-chat-template.js";

/** A chat template that takes the place of a tokenizer's own. */
export interface ChosenTemplate {
  /** A name of `NAMED_TEMPLATES`, or a file in Jinja; "" = the tokenizer's own. */
  readonly chatTemplate?: string | undefined;
  /** Tokens of the template that cannot be told from text; see `withChatTemplate`. */
  readonly chatTokens?: readonly string[] | undefined;
}

/** The file that the choice names, if it names one. */
export function chatTemplateFile({ chatTemplate = "" }: ChosenTemplate): string[] {
  return chatTemplate === "" || Object.hasOwn(NAMED_TEMPLATES, chatTemplate) ? [] : [chatTemplate];
}

/**
 * The tokenizer of a directory with the chat template that was chosen, and tokens that it needs behind
 * the others.
 * @throws as `loadTokenizer` and `withChatTemplate`; `not_found` for a template that is not there
 */
export async function loadChatTokenizer(dir: string, chosen: ChosenTemplate): Promise<Tokenizer> {
  const { chatTemplate = "", chatTokens = [] } = chosen;
  const tokenizer = await loadTokenizer(dir);
  if (chatTemplate !== "")
    return withChatTemplate(tokenizer, await templateText(chatTemplate), chatTokens);
  if (chatTokens.length === 0) return tokenizer;
  throw new StagecraftError(
    "invalid_argument",
    "chatTokens: they are tokens of a chat template; choose one with chatTemplate",
    { details: { field: "chatTokens" } },
  );
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
