import { RecordProblem } from "../../bad-records.js";
import { conversationOf, refuseTools, withSystem } from "./conversation.js";
import { has, messagesOf, objectOf, type Fields } from "./fields.js";
import { promptRecord } from "./prompt.js";
import type { RecordFormat } from "./record-format.js";

const ROLES: Readonly<Record<string, string>> = {
  system: "system",
  human: "user",
  user: "user",
  gpt: "assistant",
  assistant: "assistant",
  chatgpt: "assistant",
  bing: "assistant",
  bard: "assistant",
};

/**
 * `{conversations: [{from: "human" | "gpt" | …, value}, …], system?}`, or with `role` and `content`, or
 * under `conversation`. A turn with `train: false` or `weight: 0` is context and not learnt.
 */
export const shareGptFormat: RecordFormat = {
  name: "sharegpt",
  matches: (fields) => nameOf(fields) !== undefined,
  conversations(fields) {
    const name = nameOf(fields)!;
    return [conversationOf(fields, turnsOf(fields[name], name), name)];
  },
  prompts(fields, id) {
    refuseTools(fields);
    const name = nameOf(fields)!;
    const messages = messagesOf(turnsOf(fields[name], name), name);
    return [promptRecord(fields, id, withSystem(fields, messages))];
  },
};

const nameOf = (fields: Fields) =>
  ["conversations", "conversation"].find((name) => has(fields, name));

/** Turns of either wording as messages; one that is neither is left for `messagesOf` to refuse. */
export function turnsOf(value: unknown, name: string): unknown {
  if (!Array.isArray(value)) return value;
  return value.map((turn, i) => turnOf(turn, `${name}[${i}]`));
}

/** One turn as a message. */
export function turnOf(value: unknown, name: string): Fields {
  const turn = objectOf(value, name);
  if (!has(turn, "from")) return turn;
  const { from, value: content } = turn;
  const role = typeof from === "string" && Object.hasOwn(ROLES, from) ? ROLES[from] : undefined;
  if (role === undefined) {
    const known = Object.keys(ROLES).join(", ");
    throw new RecordProblem(`${name}.from is none of ${known}; calls of tools are not read`);
  }
  const weight = turn["train"] === false && role === "assistant" ? 0 : turn["weight"];
  return { role, content, weight };
}
