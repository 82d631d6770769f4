import { isDeepStrictEqual } from "node:util";
import { parseRanking, toConversation, type feedback } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import type { Vote, VoteStored } from "../http/api/index.js";
import type { HttpContext } from "../http/context.js";
import { answerOf } from "../models/ask-model.js";
import type { Tx } from "../store/database.js";
import { insertFeedback } from "../store/feedback-rows.js";

type Answer = Awaited<ReturnType<typeof answerOf>>;

/** A row of the table. */
interface VoteRow {
  id: string;
  person_id: string;
  answer_id: string;
  vote: Vote["vote"];
  than_id: string | null;
  comment: string;
  created_at: Date;
}

/** What rankings that are votes are about. */
const KIND = "chat";

/**
 * Stores a vote; a repeat counts once. The better of two answers to the same turns is a ranking of the two,
 * of which the reward model learns as of every other.
 */
export async function storeVote(
  context: HttpContext,
  person: string,
  given: Vote,
): Promise<VoteStored> {
  const { submissionId: id, answerId, vote, than, comment } = given;
  const answer = await answerOf(context, answerId, person);
  const other = than === null ? undefined : await answerOf(context, than, person);
  if ((vote === "better") !== (other !== undefined)) throw thanMissing(vote);
  if (other) checkSameTurns(answer, other);
  const { database, now } = context;
  await database.transact(async (tx) => {
    const votes = { id, person_id: person, answer_id: answerId, vote, than_id: than, comment };
    const isNew = await insertVote(tx, { ...votes, created_at: now() });
    if (isNew && other && other.text !== answer.text) {
      await insertFeedback(tx, pairOf(answer, other, { feedbackId: id, createdAt: now() }));
    }
  });
  return { voteId: id };
}

/** Whether it was not there yet; throws `already_exists` for another vote under its id. */
async function insertVote(tx: Tx, values: VoteRow): Promise<boolean> {
  const added = await tx
    .insertInto("votes")
    .values(values)
    .onConflict((conflict) => conflict.column("id").doNothing())
    .returning("id")
    .executeTakeFirst();
  if (added) return true;
  const query = tx.selectFrom("votes").selectAll().where("id", "=", values.id);
  const known = await query.executeTakeFirstOrThrow();
  const essence = ({ created_at: _, ...row }: VoteRow) => row;
  if (isDeepStrictEqual(essence(known), essence(values))) return false;
  throw new StagecraftError("already_exists", "another vote was sent under this id", {
    details: { field: "submissionId", advice: "load the page again" },
  });
}

function pairOf(
  better: Answer,
  worse: Answer,
  about: Pick<feedback.Feedback, "feedbackId" | "createdAt">,
): feedback.Feedback {
  const { person_id: rater, model_version: modelVersion, turns } = better;
  const answers = [better.text, worse.text];
  const value = { prompt: toConversation(turns), answers, ranks: [1, 2], criteria: [] };
  parseRanking(value);
  return {
    ...{ ...about, comparisonId: "", origin: { rater, kind: KIND, modelVersion } },
    body: { $case: "ranking", value },
  };
}

function checkSameTurns(answer: Answer, other: Answer): void {
  if (isDeepStrictEqual(answer.turns, other.turns)) return;
  throw new StagecraftError("invalid_argument", "the two answers are not to the same turns", {
    details: { field: "than", advice: "compare two answers to the same question" },
  });
}

function thanMissing(vote: string): StagecraftError {
  const isBetter = vote === "better";
  const reason = isBetter
    ? "a better answer needs the one that is worse"
    : `a vote ${vote} is about one answer`;
  return new StagecraftError("invalid_argument", reason, {
    details: { field: "than", advice: isBetter ? "name the other answer" : "leave the other out" },
  });
}
