import { feedback } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { matterOf } from "../feedback/matter.js";
import { lockCounter, setCounter } from "./counters.js";
import type { Tx } from "./database.js";

/**
 * Stores feedback at the end of all; a repeat is answered as the first. A ranking ends the assignment of
 * its rater, takes the place of what he said about the same answers before, and counts for the overlap.
 */
export async function insertFeedback(tx: Tx, entry: feedback.Feedback): Promise<feedback.Feedback> {
  const position = (await lockCounter(tx, "feedback")) + 1;
  const known = await feedbackById(tx, entry.feedbackId);
  if (known) return sameOrThrow(known, entry);
  const rater = entry.origin?.rater ?? "";
  const { body } = entry;
  if (body === undefined) throw new StagecraftError("invalid_argument", "feedback without a body");
  const matter = body.$case === "ranking" && rater !== "" ? matterOf(rater, body.value) : null;
  const now = entry.createdAt ?? new Date();
  if (body.$case === "ranking") await noteRanking(tx, { rater, matter, now, entry });
  await tx
    .insertInto("feedback")
    .values({
      ...{ position, matter, rater, kind: body.$case, created_at: now },
      id: entry.feedbackId,
      comparison_id: entry.comparisonId,
      body: JSON.stringify(feedback.Feedback.toJSON(entry)),
      bytes: feedback.Feedback.encode(entry).finish().length,
    })
    .execute();
  await setCounter(tx, "feedback", position);
  return entry;
}

async function feedbackById(tx: Tx, id: string): Promise<feedback.Feedback | undefined> {
  const query = tx.selectFrom("feedback").select("body").where("id", "=", id);
  const row = await query.executeTakeFirst();
  return row && feedback.Feedback.fromJSON(row.body);
}

interface NewRanking {
  rater: string;
  matter: string | null;
  now: Date;
  entry: feedback.Feedback;
}

async function noteRanking(tx: Tx, { rater, matter, now, entry }: NewRanking): Promise<void> {
  if (matter !== null) {
    await tx.updateTable("feedback").set({ revised: true }).where("matter", "=", matter).execute();
  }
  const { comparisonId } = entry;
  if (comparisonId === "") return;
  if (rater === "" || !(await hasRanked(tx, rater, comparisonId))) {
    await tx
      .updateTable("comparisons")
      .set((eb) => ({ ranked: eb("ranked", "+", 1) }))
      .where("id", "=", comparisonId)
      .execute();
  }
  await tx
    .updateTable("assignments")
    .set({ state: "ranked", ended_at: now })
    .where("comparison_id", "=", comparisonId)
    .where("person_id", "=", rater)
    .execute();
}

async function hasRanked(tx: Tx, rater: string, comparisonId: string): Promise<boolean> {
  const query = tx.selectFrom("feedback").select("id").where("comparison_id", "=", comparisonId);
  return (await query.where("rater", "=", rater).executeTakeFirst()) !== undefined;
}

/** A repeat of a submission is answered as the first; another one under its id is a mistake. */
function sameOrThrow(known: feedback.Feedback, entry: feedback.Feedback): feedback.Feedback {
  const essence = (f: feedback.Feedback) =>
    JSON.stringify(feedback.Feedback.toJSON({ ...f, createdAt: undefined }));
  if (essence(known) === essence(entry)) return known;
  throw new StagecraftError(
    "already_exists",
    `feedback_id ${entry.feedbackId} is taken by other feedback; choose another id`,
  );
}
