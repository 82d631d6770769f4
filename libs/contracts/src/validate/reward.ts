import type { Score, ScoreInput } from "../gen/stagecraft/reward/v1/reward.js";
import { checkFloat32, checkLength, checkPresent, invalidField } from "./check.js";
import { parseConversation, parseTokens, type ChatMessage, type TokenLimits } from "./common.js";

/** What to score, as ids of the reward model's tokenizer, as turns ending with the answer, or rendered. */
export type ParsedScoreInput =
  | { kind: "tokens"; ids: Int32Array }
  | { kind: "conversation"; messages: ChatMessage[] }
  | { kind: "rendered"; text: string };

/** A finite score. */
export interface ParsedScore {
  value: number;
  /** Disagreement of an ensemble's members about it, 0 or more. */
  uncertainty: number;
  numTokens: number;
  numTruncated: number;
}

/** Checks one item; a conversation must end with the assistant. */
export function parseScoreInput(
  item: ScoreInput | undefined,
  field: string,
  limits: TokenLimits = {},
): ParsedScoreInput {
  const input = checkPresent(checkPresent(item, field).input, `${field}.input`);
  if (input.$case === "tokens") {
    return { kind: "tokens", ids: parseTokens(input.value, `${field}.tokens`, limits) };
  }
  if (input.$case === "rendered") {
    checkLength(input.value, `${field}.rendered`, 1);
    return { kind: "rendered", text: input.value };
  }
  const messages = parseConversation(input.value, `${field}.conversation`);
  const last = messages.length - 1;
  if (messages[last]!.role !== "assistant") {
    const where = `${field}.conversation.messages[${last}].role`;
    throw invalidField(where, messages[last]!.role, "ASSISTANT, because the last turn is scored");
  }
  return { kind: "conversation", messages };
}

/** Checks a score from a reward server. */
export function parseScore(score: Score | undefined, field: string): ParsedScore {
  const { value, uncertainty, numTokens, numTruncated } = checkPresent(score, field);
  if (!(checkFloat32(uncertainty, `${field}.uncertainty`) >= 0)) {
    throw invalidField(`${field}.uncertainty`, uncertainty, "0 or more");
  }
  return { value: checkFloat32(value, `${field}.value`), uncertainty, numTokens, numTruncated };
}
