import { conversationOf, refuseTools } from "./conversation.js";
import { has, messagesOf } from "./fields.js";
import { promptRecord } from "./prompt.js";
import type { RecordFormat } from "./record-format.js";

/**
 * `{messages: [{role, content, weight?}, …]}`, as OpenAI's fine-tuning reads them: answers of weight 0
 * are context and not learnt. A prompt, when the user ends it.
 */
export const messagesFormat: RecordFormat = {
  name: "messages",
  matches: (fields) => has(fields, "messages"),
  conversations: (fields) => [conversationOf(fields, fields["messages"], "messages")],
  prompts(fields, id) {
    refuseTools(fields);
    return [promptRecord(fields, id, messagesOf(fields["messages"], "messages"))];
  },
};
