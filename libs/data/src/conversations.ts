import { present } from "@stagecraft/core";
import type { Message } from "@stagecraft/tokenizer";
import { RecordProblem } from "./bad-records.js";
import {
  fieldsOf,
  messagesOf,
  objectOf,
  optionalString,
  stringField,
  type Fields,
} from "./fields.js";
import { readRecords } from "./jsonl.js";
import type { Conversation, RecordOptions } from "./types.js";

/**
 * Demonstrations from .jsonl(.gz) files or folders of them, in order. Three forms of record:
 * - `{messages: [{role, content, weight?}, …]}`, also with `id` and `kind`; answers of weight 0 are
 *   context and not learnt
 * - `{instruction, input?, output, system?}` (Alpaca)
 * - `{instruction, instances: [{input, output}, …]}` (self-instruct seed tasks): one conversation an
 *   instance, `kind` from `name`
 * @throws `invalid_argument` with file and line when more than `maxBadRecords` are malformed
 */
export function readConversations(
  paths: string | readonly string[],
  options: RecordOptions = {},
): AsyncGenerator<Conversation> {
  return readRecords(paths, (value) => parseConversations(objectOf(value)), options);
}

function parseConversations(fields: Fields): Conversation[] {
  if (fields["messages"] !== undefined) return [messageRecord(fields)];
  if (fields["instances"] !== undefined) return instanceRecords(fields);
  if (fields["instruction"] !== undefined) return [instructionRecord(fields)];
  throw new RecordProblem(
    `a conversation needs "messages", or "instruction" with "output" or "instances"; ` +
      fieldsOf(fields),
  );
}

function messageRecord(fields: Fields): Conversation {
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
  return { ...labels(fields), messages };
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

function instructionRecord(fields: Fields): Conversation {
  const system = optionalString(fields, "system");
  const opening: Message[] = system ? [{ role: "system", content: system }] : [];
  return { ...labels(fields), messages: [...opening, ...turn(fields, fields)] };
}

function instanceRecords(fields: Fields): Conversation[] {
  const instances = fields["instances"];
  if (!Array.isArray(instances) || instances.length === 0) {
    throw new RecordProblem(`"instances" must be a list with at least one instance`);
  }
  const id = optionalString(fields, "id");
  const kind = optionalString(fields, "kind") ?? optionalString(fields, "name");
  return instances.map((instance, i) => ({
    ...present({ id: id === undefined || i === 0 ? id : `${id}/${i}`, kind }),
    messages: turn(fields, objectOf(instance, `instances[${i}]`)),
  }));
}

/** The user's turn is the instruction, a blank line and the input, when there is one. */
function turn(task: Fields, instance: Fields): Message[] {
  const instruction = stringField(task, "instruction");
  const input = optionalString(instance, "input") ?? "";
  const output = stringField(instance, "output");
  if (instruction.trim() === "") throw new RecordProblem(`"instruction" is empty`);
  if (output.trim() === "") throw new RecordProblem(`"output" is empty`);
  const content = input === "" ? instruction : `${instruction}\n\n${input}`;
  return [
    { role: "user", content },
    { role: "assistant", content: output },
  ];
}

function labels(fields: Fields): { id?: string; kind?: string } {
  return present({ id: optionalString(fields, "id"), kind: optionalString(fields, "kind") });
}
