import { join } from "node:path";
import { z } from "zod";
import { StagecraftError } from "@stagecraft/core";
import {
  readConversations,
  writeJsonl,
  type Conversation,
  type PromptRecord,
} from "@stagecraft/data";
import { recordFields, recordOptions, dataInputs, defineStage } from "@stagecraft/runs";
import { loadTokenizer, renderChat } from "@stagecraft/tokenizer";

const schema = z.strictObject({
  data: z.array(z.string().min(1)).min(1).describe("Demonstrations (JSONL)"),
  tokenizer: z.string().min(1).describe("Tokenizer or model directory, to measure requests with"),
  maxTokens: z.number().int().min(1).default(192).describe("Longer requests are left out"),
  limit: z.number().int().min(0).default(0).describe("At most this many requests, 0 = all"),
  ...recordFields("conversations"),
  seed: z.number().int().min(0).default(1).describe("Not used: requests keep their order"),
});

/** Takes the requests out of demonstrations, with the demonstrated answer as reference. */
export const requestsStage = defineStage<z.infer<typeof schema>>({
  name: "requests",
  summary: "take the requests out of demonstrations, for collect and ppo",
  schema,
  examples: [],
  inputs: ({ data, tokenizer }) => [
    ...dataInputs({ data }),
    { field: "tokenizer", kind: "tokenizer", path: tokenizer },
  ],
  outputs: () => Promise.resolve({ requests: {} }),
  leaves: { "requests.jsonl": "work" },
  async work(config, { run, context }) {
    const { maxTokens, limit } = config;
    const tokenizer = await loadTokenizer(config.tokenizer);
    const found = readConversations(config.data, recordOptions(config, context));
    const requests: PromptRecord[] = [];
    let numTooLong = 0;
    for await (const conversation of found) {
      const request = toRequest(conversation, requests.length);
      if (!request) continue;
      const { ids } = renderChat(tokenizer, request.messages, { addGenerationPrompt: true });
      if (ids.length <= maxTokens) requests.push(request);
      else numTooLong++;
      if (requests.length === limit) break;
    }
    if (numTooLong > 0) {
      context.reporter.warn(`${numTooLong} requests are longer than ${maxTokens} tokens: left out`);
    }
    if (requests.length === 0) {
      const reason = `no request of at most ${maxTokens} tokens in ${config.data.join(", ")}`;
      throw new StagecraftError("invalid_argument", reason);
    }
    const file = join(run.dir, "requests.jsonl");
    await writeJsonl(file, requests);
    return { outputs: { requests: file }, metrics: { requests: requests.length } };
  },
});

/** The conversation up to its last answer; undefined when it does not end with one. */
function toRequest({ id, kind, messages }: Conversation, index: number): PromptRecord | undefined {
  const last = messages.at(-1);
  if (last?.role !== "assistant" || messages.length < 2) return undefined;
  return {
    id: id ?? `request-${index + 1}`,
    ...(kind !== undefined && { kind }),
    messages: messages.slice(0, -1),
    reference: last.content,
  };
}
