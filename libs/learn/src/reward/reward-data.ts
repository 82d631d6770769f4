import { StagecraftError } from "@stagecraft/core";
import type { Conversation, Ranking } from "@stagecraft/data";
import { renderChat, type Message, type Tokenizer } from "@stagecraft/tokenizer";
import type { RewardItem } from "./reward-batch.js";
import type { RewardObjective } from "./reward-loss.js";

export interface RewardDataOptions {
  tokenizer: Tokenizer;
  objective: RewardObjective;
  /** Longer sequences lose their beginning, so that the answer and its end stay. */
  maxLength: number;
}

/** A ranking as token sequences and targets. Throws invalid_argument when lengths disagree. */
export function toRewardItem(ranking: Ranking, options: RewardDataOptions): RewardItem {
  const { answers, ranks, prompt } = ranking;
  if (answers.length !== ranks.length || answers.length < 2) {
    throw new StagecraftError(
      "invalid_argument",
      `ranking ${ranking.id ?? "without id"} has ${answers.length} answers and ${ranks.length} ranks; both must be equal and at least 2`,
    );
  }
  return {
    sequences: answers.map((answer) => answerIds(prompt, answer, options)),
    lengths: answers.map((answer) => options.tokenizer.encode(answer).length),
    ranks: [...ranks],
    targets: targetsOf(ranking, options.objective),
  };
}

/** The conversation with the answer and its end token, cut from the left to `maxLength`. */
export function answerIds(
  prompt: readonly Message[],
  answer: string,
  { tokenizer, maxLength }: Pick<RewardDataOptions, "tokenizer" | "maxLength">,
): Int32Array {
  const { ids } = renderChat(tokenizer, [...prompt, { role: "assistant", content: answer }]);
  return ids.length > maxLength ? ids.slice(ids.length - maxLength) : ids;
}

/** Sequences of the last assistant turn of demonstrations: the reference answers. */
export function referenceSequences(
  conversations: readonly Conversation[],
  options: Pick<RewardDataOptions, "tokenizer" | "maxLength">,
): Int32Array[] {
  return conversations.flatMap(({ messages }) => {
    const last = messages.at(-1);
    if (last?.role !== "assistant") return [];
    return [answerIds(messages.slice(0, -1), last.content, options)];
  });
}

/**
 * Scores in 0–1 when the ranking has them, else from the ranks: best 1, worst 0, evenly between.
 * Classification takes .5 and more as good.
 */
function targetsOf({ ranks, scores }: Ranking, objective: RewardObjective): number[] {
  const worst = Math.max(...ranks);
  const graded = ranks.map((rank, i) => {
    const score = scores?.[i];
    if (score !== undefined) return Math.min(1, Math.max(0, score));
    return worst > 1 ? (worst - rank) / (worst - 1) : 0.5;
  });
  return objective === "classification" ? graded.map((grade) => (grade >= 0.5 ? 1 : 0)) : graded;
}
