import type { Command } from "commander";
import { StagecraftError } from "@stagecraft/core";
import { loadChatTokenizer, renderChat, type Message, type Tokenizer } from "@stagecraft/tokenizer";
import type { CommandScope } from "../app/command.js";
import { markedText } from "../models/marked-text.js";
import { modelArgument, whereTo } from "../models/model-argument.js";
import { readJsonFile } from "./json-file.js";
import { examplesText } from "./stage-command.js";
import { chatTemplateFlag, chatTokensFlag } from "../flags/model-flags.js";

interface RenderFlags {
  messages: string;
  generationPrompt?: boolean;
  mask?: boolean;
  chatTemplate?: string;
  chatTokens?: string[];
  json?: boolean;
}

interface Conversation {
  messages: Message[];
  tools?: unknown[];
}

/** `stagecraft render MODEL --messages FILE`: what a model reads of a conversation, and what it learns. */
export function renderCommand(command: Command, scope: CommandScope): void {
  const { io } = scope;
  command
    .argument("<model>", "model directory, or one with a tokenizer")
    .requiredOption(
      "--messages <file>",
      "JSON: messages, or an object of messages and tools; a list of either gives a line each",
    )
    .option("--generation-prompt", "end with what the model's answer follows")
    .option("--mask", "which tokens are learnt; without --json they stand between ⟦ and ⟧")
    .addOption(chatTemplateFlag())
    .addOption(chatTokensFlag())
    .option("--json", "an object of text, ids and mask a conversation")
    .addHelpText(
      "after",
      examplesText([
        "npx stagecraft render runs/demo/sft/model --messages chat.json --mask",
        "npx stagecraft render runs/demo/sft/model --messages chat.json --generation-prompt --json",
      ]),
    )
    .action(async (dir: string, flags: RenderFlags) => {
      const conversations = conversationsOf(await readJsonFile(flags.messages), flags.messages);
      const tokenizer = await loadChatTokenizer(await modelArgument(dir, whereTo(scope)), flags);
      for (const conversation of conversations) {
        const rendered = describe(tokenizer, conversation, flags);
        io.out.write(
          `${flags.json ? JSON.stringify(rendered) : markedText(tokenizer, rendered)}\n`,
        );
      }
    });
}

interface Rendered {
  text: string;
  ids: number[];
  mask?: number[];
}

function describe(
  tokenizer: Tokenizer,
  { messages, tools }: Conversation,
  { generationPrompt, mask }: RenderFlags,
): Rendered {
  const options = { addGenerationPrompt: generationPrompt === true, tools };
  const chat = renderChat(tokenizer, messages, options);
  const { text, ids } = chat;
  return { text, ids: [...ids], ...(mask ? { mask: [...chat.assistantMask] } : {}) };
}

function conversationsOf(value: unknown, file: string): Conversation[] {
  if (isMessages(value)) return [{ messages: value }];
  const all = Array.isArray(value) ? value : [value];
  return all.map((item: unknown, i) => {
    const conversation = isMessages(item) ? { messages: item } : item;
    if (isConversation(conversation)) return conversation;
    const where = Array.isArray(value) ? `${file}[${i}]` : file;
    throw new StagecraftError(
      "invalid_argument",
      `${where} must be a list of messages with a role, or an object with such messages and tools`,
    );
  });
}

function isMessages(value: unknown): value is Message[] {
  return Array.isArray(value) && value.length > 0 && value.every(isMessage);
}

function isMessage(value: unknown): boolean {
  return (
    typeof value === "object" && value !== null && "role" in value && typeof value.role === "string"
  );
}

function isConversation(value: unknown): value is Conversation {
  if (typeof value !== "object" || value === null || !("messages" in value)) return false;
  return isMessages(value.messages) && (!("tools" in value) || Array.isArray(value.tools));
}
