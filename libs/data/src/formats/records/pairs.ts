import { present } from "@stagecraft/core";
import type { Message } from "@stagecraft/tokenizer";
import { RecordProblem } from "../../bad-records.js";
import type { Ranking } from "../../types.js";
import { refuseTools, withSystem } from "./conversation.js";
import { fieldsOf, has, labelsOf, messagesOf, promptMessages, type Fields } from "./fields.js";
import { promptRecord } from "./prompt.js";
import type { RecordFormat } from "./record-format.js";
import { turnOf, turnsOf } from "./sharegpt.js";

/**
 * `{prompt, chosen, rejected}`: two answers, the better one first. Answers are texts, messages, or whole
 * conversations that have all but their last message in common (the prompt may then be missing). The
 * prompt may also stand under `question`, or as a conversation under `conversations`.
 */
export const pairsFormat: RecordFormat = {
  name: "pairs",
  matches: (fields) => has(fields, "chosen") && has(fields, "rejected"),
  rankings: (fields) => [rankingOf(fields, comparisonOf(fields))],
  prompts: (fields, id) => [promptRecord(fields, id, comparisonOf(fields).prompt)],
};

/** Two answers to one prompt. */
export interface Comparison {
  prompt: Message[];
  chosen: string;
  rejected: string;
}

/** The ranking of a comparison, with the record's labels and scores of both answers, if it has them. */
export function rankingOf(fields: Fields, { prompt, chosen, rejected }: Comparison): Ranking {
  if (prompt.at(-1)?.role !== "user") {
    throw new RecordProblem("what is answered must end with a message of the user");
  }
  const scores = [fields["score_chosen"], fields["score_rejected"]];
  const areScores = scores.every((score): score is number => Number.isFinite(score));
  return {
    prompt,
    answers: [chosen, rejected],
    ranks: [1, 2],
    ...labelsOf(fields),
    ...present({ scores: areScores ? (scores as number[]) : undefined }),
  };
}

function comparisonOf(fields: Fields): Comparison {
  refuseTools(fields);
  const given = givenPrompt(fields);
  const [chosen, rejected] = [sideOf(fields, "chosen"), sideOf(fields, "rejected")];
  const prompt = commonPrompt(chosen.before, rejected.before);
  if (prompt.length > 0 && given && !repeats(given, prompt)) {
    throw new RecordProblem(`"prompt" is not what "chosen" and "rejected" answer`);
  }
  const messages = prompt.length > 0 ? prompt : given;
  if (!messages) throw new RecordProblem(`a pair of texts needs "prompt"; ${fieldsOf(fields)}`);
  return { prompt: withSystem(fields, messages), chosen: chosen.text, rejected: rejected.text };
}

function givenPrompt(fields: Fields): Message[] | undefined {
  const name = ["prompt", "question", "conversations"].find((candidate) => has(fields, candidate));
  if (name === undefined) return undefined;
  return promptMessages(turnsOf(fields[name], name), name);
}

/** An answer, and what stands before it in its own conversation. */
interface Side {
  text: string;
  before: Message[];
}

function sideOf(fields: Fields, name: "chosen" | "rejected"): Side {
  const value = fields[name];
  if (typeof value === "string") return { text: value, before: [] };
  const turns = Array.isArray(value) ? turnsOf(value, name) : [turnOf(value, name)];
  const messages = messagesOf(turns, name);
  const last = messages.pop()!;
  if (last.role === "assistant") return { text: last.content, before: messages };
  throw new RecordProblem(`"${name}" must end with a message of the assistant`);
}

function commonPrompt(a: readonly Message[], b: readonly Message[]): Message[] {
  if (sameMessages(a, b)) return [...a];
  throw new RecordProblem(`"chosen" and "rejected" differ in more than their last message`);
}

/** Whether a prompt says again what stands before the answers: all of it, or the first question alone. */
function repeats(given: readonly Message[], before: readonly Message[]): boolean {
  const opening = before.filter(({ role }) => role !== "system")[0];
  const isOpening = given.length === 1 && opening !== undefined && sameMessages(given, [opening]);
  return isOpening || sameMessages(given, before);
}

function sameMessages(a: readonly Message[], b: readonly Message[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ role, content }, i) => role === b[i]!.role && content === b[i]!.content)
  );
}
