import {
  FlagReason,
  type Demonstration,
  type Flag,
  type Ranking,
} from "../gen/stagecraft/feedback/v1/feedback.js";
import { checkAligned, checkLength, checkPresent, checkRange, invalidField } from "./check.js";
import { parseConversation, type ChatMessage } from "./common.js";

const MAX_ANSWERS = 64;
const MAX_COMMENT_LENGTH = 10_000;
const MAX_CATEGORY_LENGTH = 64;

/** A ranking as the data library reads it. */
export interface ParsedRanking {
  prompt: ChatMessage[];
  answers: string[];
  ranks: number[];
  criteria: Record<string, number[]>;
}

/** Checks a ranking: 2 to 64 answers, one rank from 1 to K for each, by every criterion. */
export function parseRanking(ranking: Ranking | undefined, field = "ranking"): ParsedRanking {
  const { prompt, answers, ranks, criteria } = checkPresent(ranking, field);
  checkLength(answers, `${field}.answers`, 2, MAX_ANSWERS);
  const parsed = parseConversation(prompt, `${field}.prompt`);
  const last = parsed[parsed.length - 1]!;
  if (last.role === "assistant") {
    throw invalidField(`role of the last turn of ${field}.prompt`, last.role, "USER or SYSTEM");
  }
  const byCriterion = criteria.map((c, i) => {
    const where = `${field}.criteria[${i}].ranks`;
    return [c.criterion, parseRanks(c.ranks, where, answers.length)] as const;
  });
  return {
    prompt: parsed,
    answers: [...answers],
    ranks: parseRanks(ranks, `${field}.ranks`, answers.length),
    criteria: Object.fromEntries(byCriterion),
  };
}

function parseRanks(ranks: readonly number[], field: string, numAnswers: number): number[] {
  checkAligned(ranks, field, { length: numAnswers, like: "answers" });
  return ranks.map((rank, i) => checkRange(rank, `${field}[${i}]`, 1, numAnswers));
}

/** Checks a demonstration: at least one assistant turn that says something. */
export function parseDemonstration(
  demonstration: Demonstration | undefined,
  field = "demonstration",
): ChatMessage[] {
  const { conversation, drafts } = checkPresent(demonstration, field);
  const messages = parseConversation(conversation, `${field}.conversation`);
  drafts.forEach(({ message }, i) => {
    if (messages[message]?.role === "assistant") return;
    throw invalidField(`${field}.drafts[${i}].message`, message, "the index of an assistant turn");
  });
  if (messages.some((m) => m.role === "assistant" && m.content !== "")) return messages;
  throw invalidField(`${field}.conversation`, "without an answer", "one with an assistant turn");
}

/** Checks a flag: a reason and a comment of bearable length. */
export function parseFlag(flag: Flag | undefined, field = "flag"): { messages: ChatMessage[] } {
  const { conversation, reason, comment, category } = checkPresent(flag, field);
  checkRange(reason, `${field}.reason`, FlagReason.HARMFUL, FlagReason.OTHER);
  checkLength(comment, `${field}.comment`, 0, MAX_COMMENT_LENGTH);
  checkLength(category, `${field}.category`, 0, MAX_CATEGORY_LENGTH);
  return { messages: parseConversation(conversation, `${field}.conversation`) };
}
