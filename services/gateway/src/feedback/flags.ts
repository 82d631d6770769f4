import { feedback, toConversation } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import type { FlagAnswer, FlagCategory, FlagStored, Turn } from "../http/api/index.js";
import type { HttpContext } from "../http/context.js";
import { createFeedbackStore } from "../store/feedback-store.js";
import { assignmentOf } from "./rank-desk.js";
import { toTurns } from "./turns.js";

export interface NewFlag {
  flagId: string;
  rater: string;
  turns: readonly Turn[];
  modelVersion: string;
  category: FlagCategory;
  comment: string;
}

const NOT_HARM: Readonly<Partial<Record<FlagCategory, feedback.FlagReason>>> = {
  false: feedback.FlagReason.FALSE,
  unhelpful: feedback.FlagReason.UNHELPFUL,
  other: feedback.FlagReason.OTHER,
};

/** Stores a flag; a repeat counts once. */
export async function storeFlag(
  { database, now }: HttpContext,
  { flagId, rater, turns, modelVersion, category, comment }: NewFlag,
): Promise<FlagStored> {
  const reason = NOT_HARM[category] ?? feedback.FlagReason.HARMFUL;
  const value = { conversation: toConversation(turns), reason, comment, category };
  await createFeedbackStore(database).add({
    ...{ feedbackId: flagId, createdAt: now(), comparisonId: "" },
    origin: { rater, modelVersion, kind: "" },
    body: { $case: "flag", value },
  });
  return { flagId };
}

/** Flags one answer of an assignment, as it is shown. */
export async function flagAnswer(
  context: HttpContext,
  rater: string,
  { assignmentId, submissionId, answer, ...flag }: FlagAnswer & { assignmentId: string },
): Promise<FlagStored> {
  const held = await context.database.transact((tx) => assignmentOf(tx, assignmentId, rater));
  const { comparison, shown } = held;
  const content = comparison.answers[shown[answer] ?? -1];
  if (content === undefined) {
    const reason = `answer ${answer}: there are ${shown.length}, counted from 0`;
    throw new StagecraftError("invalid_argument", reason, { details: { field: "answer" } });
  }
  const turns = [...toTurns(comparison.prompt), { role: "assistant" as const, content }];
  const { modelVersion } = comparison;
  return storeFlag(context, { flagId: submissionId, rater, turns, modelVersion, ...flag });
}
