import type { Message } from "@stagecraft/tokenizer";
import { RecordProblem } from "../../bad-records.js";
import type { Conversation } from "../../types.js";
import { has, labelsOf, messagesOf, optionalString, type Fields } from "./fields.js";

/** The list under `name` as a conversation to learn from: weights are kept, answers are not empty. */
export function conversationOf(fields: Fields, list: unknown, name: string): Conversation {
  refuseTools(fields);
  const messages = messagesOf(list, name).map((message, i) =>
    weighted(message, (list as Fields[])[i]!["weight"], `${name}[${i}]`),
  );
  const learnt = messages.filter(({ role, weight }) => role === "assistant" && weight !== 0);
  if (learnt.length === 0) {
    throw new RecordProblem(`"${name}" has no message of the assistant to learn from`);
  }
  const empty = messages.findIndex((message) => learnt.includes(message) && isBlank(message));
  if (empty >= 0) throw new RecordProblem(`${name}[${empty}].content, an answer, is empty`);
  return { ...labelsOf(fields), messages: withSystem(fields, messages) };
}

/** The messages after the record's own `system` text, when it has one and they do not. */
export function withSystem(fields: Fields, messages: Message[]): Message[] {
  const content = optionalString(fields, "system") ?? "";
  if (content === "" || messages[0]?.role === "system") return messages;
  return [{ role: "system", content }, ...messages];
}

/** Tools that a model may call are part of what it reads; without them it would learn something else. */
export function refuseTools(fields: Fields): void {
  const { tools } = fields;
  if (!has(fields, "tools") || tools === "" || tools === "[]") return;
  if (Array.isArray(tools) && tools.length === 0) return;
  throw new RecordProblem(`the record offers "tools", which no stage reads; take such records out`);
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
