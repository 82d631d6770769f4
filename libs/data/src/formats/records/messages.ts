import type { Message } from "@stagecraft/tokenizer";
import { RecordProblem } from "../../bad-records.js";
import type { Conversation, PromptRecord } from "../../types.js";
import { labelsOf, messagesOf, type Fields } from "./fields.js";
import { promptRecord } from "./prompt.js";
import type { RecordFormat } from "./record-format.js";

/**
 * `{messages: [{role, content, weight?}, …]}`: a conversation; answers of weight 0 are context and not
 * learnt. As a prompt, when the user ends it.
 */
export const messagesFormat: RecordFormat = {
  name: "messages",
  matches: (fields) => fields["messages"] !== undefined,
  conversations: (fields) => [conversation(fields)],
  prompts: (fields, id): PromptRecord[] => [
    promptRecord(fields, id, messagesOf(fields["messages"], "messages")),
  ],
};

function conversation(fields: Fields): Conversation {
  const weights = fields["messages"];
  const messages = messagesOf(weights, "messages").map((message, i) =>
    weighted(message, (weights as Fields[])[i]!["weight"], `messages[${i}]`),
  );
  const learnt = messages.filter(({ role, weight }) => role === "assistant" && weight !== 0);
  if (learnt.length === 0) {
    throw new RecordProblem(`"messages" has no message of the assistant to learn from`);
  }
  const empty = messages.findIndex((message) => learnt.includes(message) && isBlank(message));
  if (empty >= 0) throw new RecordProblem(`messages[${empty}].content, an answer, is empty`);
  return { ...labelsOf(fields), messages };
}

/** The message with its weight: 1, 0 (context that is not learnt) or none, which is 1 for answers. */
function weighted(message: Message, weight: unknown, name: string): Message {
  if (weight === undefined || weight === null) return message;
  if (weight !== 0 && weight !== 1) {
    throw new RecordProblem(
      `${name}.weight must be 0 (not learnt) or 1, not ${JSON.stringify(weight)}`,
    );
  }
  if (message.role === "assistant") return weight === 0 ? { ...message, weight } : message;
  if (weight === 0) return message;
  throw new RecordProblem(
    `${name}.weight is 1, but only messages of the assistant are learnt, not the ${message.role}'s`,
  );
}

const isBlank = ({ content }: Message) => content.trim() === "";
