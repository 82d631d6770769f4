import type { Message } from "@stagecraft/tokenizer";
import { RecordProblem } from "../../bad-records.js";
import type { Conversation, Ranking } from "../../types.js";
import { has, objectOf, optionalString, stringField, type Fields } from "./fields.js";
import { promptRecord } from "./prompt.js";
import { parseRanking } from "./ranking.js";
import type { RecordFormat } from "./record-format.js";
import { ranksOf } from "./ultrafeedback.js";

const MAX_DEPTH = 200;

/**
 * `{message_tree_id, prompt: {role: "prompter", text, replies: [{role: "assistant", rank, …}]}}`: trees of
 * OpenAssistant. Conversations follow the best answer (lowest rank, or the first) and every question
 * after it; what an earlier conversation taught is context in the next. Rankings are all answers to one
 * question that have ranks. Deleted messages are no messages.
 */
export const oasstFormat: RecordFormat = {
  name: "oasst",
  matches: (fields) => has(fields, "message_tree_id") && typeof fields["prompt"] === "object",
  conversations(fields) {
    const found: Conversation[] = [];
    walkBest(nodeOf(fields["prompt"], "prompt"), [], found);
    if (found.length === 0) throw new RecordProblem("nobody of the assistant answers in this tree");
    return found.map((conversation) => ({ id: idOf(fields), ...conversation }));
  },
  rankings(fields) {
    const found: Ranking[] = [];
    walkAll(nodeOf(fields["prompt"], "prompt"), [], found);
    return found;
  },
  prompts(fields, id) {
    const { text } = nodeOf(fields["prompt"], "prompt");
    return [promptRecord({ id: idOf(fields) }, id, [{ role: "user", content: text }])];
  },
};

/** `{message_id, parent_id, text, role}`: the same as one row a message, which no single row tells. */
export const oasstTableFormat: RecordFormat = {
  name: "oasst-table",
  matches: (fields) => has(fields, "message_id") && Object.hasOwn(fields, "parent_id"),
  conversations: refuseTable,
  rankings: refuseTable,
  prompts: refuseTable,
};

function refuseTable(): never {
  throw new RecordProblem(
    `this is a table of single messages of OpenAssistant; read its trees, the files *.trees.jsonl.gz`,
  );
}

const idOf = (fields: Fields) => optionalString(fields, "message_tree_id")!;

interface Node {
  text: string;
  isAnswer: boolean;
  rank: number | undefined;
  replies: Node[];
}

function nodeOf(value: unknown, name: string, depth = 0): Node {
  if (depth > MAX_DEPTH) throw new RecordProblem(`the tree is deeper than ${MAX_DEPTH} messages`);
  const fields = objectOf(value, name);
  const { role, rank } = fields;
  if (role !== "prompter" && role !== "assistant") {
    throw new RecordProblem(`${name}.role must be "prompter" or "assistant"`);
  }
  const replies = Array.isArray(fields["replies"]) ? (fields["replies"] as unknown[]) : [];
  return {
    text: stringField(fields, "text"),
    isAnswer: role === "assistant",
    rank: Number.isInteger(rank) ? (rank as number) : undefined,
    replies: replies
      .filter((reply) => (reply as Fields | null)?.["deleted"] !== true)
      .map((reply) => nodeOf(reply, "a reply", depth + 1)),
  };
}

function walkBest(question: Node, path: readonly Message[], found: Conversation[]): void {
  const asked: Message[] = [...path, { role: "user", content: question.text }];
  const answer = bestOf(question.replies.filter(({ isAnswer }) => isAnswer));
  if (!answer) return;
  const next = answer.replies.filter((reply) => !reply.isAnswer && hasAnswer(reply));
  if (next.length === 0) {
    found.push({ messages: [...asked, { role: "assistant", content: answer.text }] });
    return;
  }
  for (const [i, reply] of next.entries()) {
    const weight = i > 0 ? { weight: 0 as const } : {};
    const answered: Message = { role: "assistant", content: answer.text, ...weight };
    const before = i > 0 ? asked.map(asContext) : asked;
    walkBest(reply, [...before, answered], found);
  }
}

const hasAnswer = ({ replies }: Node) => replies.some(({ isAnswer }) => isAnswer);

const asContext = (message: Message): Message =>
  message.role === "assistant" ? { ...message, weight: 0 } : message;

function bestOf(answers: readonly Node[]): Node | undefined {
  const rankOf = ({ rank }: Node) => rank ?? Infinity;
  return answers.reduce<Node | undefined>(
    (best, answer) => (best && rankOf(best) <= rankOf(answer) ? best : answer),
    undefined,
  );
}

function walkAll(node: Node, path: readonly Message[], found: Ranking[]): void {
  const role = node.isAnswer ? ("assistant" as const) : ("user" as const);
  const here: Message[] = [...path, { role, content: node.text }];
  const ranked = node.replies.filter(({ isAnswer, rank }) => isAnswer && rank !== undefined);
  if (!node.isAnswer && ranked.length > 1) {
    const ranks = ranksOf(ranked.map(({ rank }) => -rank!));
    found.push(parseRanking({ prompt: here, answers: ranked.map(({ text }) => text), ranks }));
  }
  for (const reply of node.replies) walkAll(reply, here, found);
}
