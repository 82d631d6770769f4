import { join } from "node:path";
import { text, texts, whole } from "@stagecraft/fields";
import { z } from "zod";
import { StagecraftError } from "@stagecraft/core";
import {
  readConversations,
  writeJsonl,
  type Conversation,
  type PromptRecord,
} from "@stagecraft/data";
import { chatFields, recordFields, recordOptions, dataInputs, defineStage } from "@stagecraft/runs";
import { chatTemplateFile, loadChatTokenizer, renderChat } from "@stagecraft/tokenizer";

const schema = z.strictObject({
  data: texts().describe("Demonstrations (JSONL)"),
  tokenizer: text().describe("Tokenizer or model directory, to measure prompts with"),
  maxTokens: whole({ min: 1, default: 192 }).describe("Longer prompts are left out"),
  limit: whole({ default: 0 }).describe("At most this many prompts, 0 = all"),
  ...chatFields,
  ...recordFields("conversations"),
  seed: whole({ default: 1 }).describe("Not used: prompts keep their order"),
});

/** Takes the prompts out of demonstrations, with the demonstrated answer as reference. */
export const promptsStage = defineStage<z.infer<typeof schema>>({
  name: "prompts",
  summary: "take the prompts out of demonstrations, for collect and ppo",
  schema,
  examples: [],
  inputs: ({ data, tokenizer, ...chosen }) => [
    ...dataInputs({ data, chatTemplate: chatTemplateFile(chosen) }),
    { field: "tokenizer", kind: "tokenizer", path: tokenizer },
  ],
  outputs: () => Promise.resolve({ prompts: {} }),
  leaves: { "prompts.jsonl": "work" },
  async work(config, { run, context }) {
    const { maxTokens, limit } = config;
    const tokenizer = await loadChatTokenizer(config.tokenizer, config);
    const found = readConversations(config.data, recordOptions(config, context));
    const prompts: PromptRecord[] = [];
    let numTooLong = 0;
    for await (const conversation of found) {
      const prompt = toPrompt(conversation, prompts.length);
      if (!prompt) continue;
      const { ids } = renderChat(tokenizer, prompt.messages, { addGenerationPrompt: true });
      if (ids.length <= maxTokens) prompts.push(prompt);
      else numTooLong++;
      if (prompts.length === limit) break;
    }
    if (numTooLong > 0) {
      context.reporter.warn(`${numTooLong} prompts are longer than ${maxTokens} tokens: left out`);
    }
    if (prompts.length === 0) {
      const reason = `no prompt of at most ${maxTokens} tokens in ${config.data.join(", ")}`;
      throw new StagecraftError("invalid_argument", reason);
    }
    const file = join(run.dir, "prompts.jsonl");
    await writeJsonl(file, prompts);
    return { outputs: { prompts: file }, metrics: { prompts: prompts.length } };
  },
});

/** The conversation up to its last answer; undefined when it does not end with one. */
function toPrompt({ id, kind, messages }: Conversation, index: number): PromptRecord | undefined {
  const last = messages.at(-1);
  if (last?.role !== "assistant" || messages.length < 2) return undefined;
  return {
    id: id ?? `prompt-${index + 1}`,
    ...(kind !== undefined && { kind }),
    messages: messages.slice(0, -1),
    reference: last.content,
  };
}
