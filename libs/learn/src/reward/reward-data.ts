import { StagecraftError } from "@stagecraft/core";
import { nameRecord, namingRecord, type Conversation, type Ranking } from "@stagecraft/data";
import { renderScored, type Message, type Tokenizer } from "@stagecraft/tokenizer";
import { fitAnswers, keepEnd, type FittedAnswers } from "./fit-answers.js";
import type { RewardItem } from "./reward-batch.js";
import type { RewardObjective } from "./reward-loss.js";

export interface RewardDataOptions {
  tokenizer: Tokenizer;
  objective: RewardObjective;
  /** Longer sequences lose their beginning, so that the answer and its end stay. */
  maxLength: number;
  /** The range of the rankings' scores, for classification and regression. Default 0 to 1. */
  ratings?: RatingRange;
}

/** The worst and the best rating that raters could give. */
export interface RatingRange {
  min: number;
  max: number;
}

/**
 * A ranking as token sequences and targets. Throws invalid_argument when lengths disagree, and for a
 * score outside the range of ratings where scores are learnt.
 */
export function toRewardItem(
  ranking: Ranking,
  options: RewardDataOptions,
): RewardItem & FittedAnswers {
  const { answers, ranks, prompt } = ranking;
  if (answers.length !== ranks.length || answers.length < 2) {
    throw new StagecraftError(
      "invalid_argument",
      `ranking ${ranking.id ?? "without id"} has ${answers.length} answers and ${ranks.length} ranks; both must be equal and at least 2`,
    );
  }
  const { tokenizer, maxLength } = options;
  const whole = namingRecord("ranking", ranking, () =>
    answers.map((text) => answerIds(prompt, text, { tokenizer, maxLength: Infinity })),
  );
  return {
    ...fitAnswers(whole, ranks, maxLength),
    lengths: answers.map((answer) => options.tokenizer.encode(answer).length),
    ranks: [...ranks],
    targets: targetsOf(ranking, options),
  };
}

/** The conversation with the answer and its end token, cut to `maxLength` as `keepEnd` does. */
export function answerIds(
  prompt: readonly Message[],
  answer: string,
  { tokenizer, maxLength }: Pick<RewardDataOptions, "tokenizer" | "maxLength">,
): Int32Array {
  const ids = renderScored(tokenizer, [...prompt, { role: "assistant", content: answer }]);
  return keepEnd(ids, maxLength);
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
 * The scores, moved to 0–1, when the ranking has them and they are learnt, else from the ranks: best 1,
 * worst 0, evenly between. Classification takes .5 and more as good.
 */
function targetsOf(ranking: Ranking, { objective, ratings }: RewardDataOptions): number[] {
  const { ranks, scores } = ranking;
  const worst = Math.max(...ranks);
  const graded =
    scores !== undefined && objective !== "ranking"
      ? scores.map((score) => gradeOf(score, ranking, ratings ?? { min: 0, max: 1 }))
      : ranks.map((rank) => (worst > 1 ? (worst - rank) / (worst - 1) : 0.5));
  return objective === "classification" ? graded.map((grade) => (grade >= 0.5 ? 1 : 0)) : graded;
}

function gradeOf(score: number, ranking: Ranking, { min, max }: RatingRange): number {
  if (score >= min && score <= max) return (score - min) / (max - min);
  throw new StagecraftError(
    "invalid_argument",
    `${nameRecord("ranking", ranking)} has the score ${score}, outside the ratings from ${min} to ` +
      `${max}; say what they range over with ratingMin and ratingMax, or correct the score`,
    { details: { score, min, max } },
  );
}
