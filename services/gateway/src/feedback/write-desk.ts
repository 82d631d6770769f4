import type { feedback } from "@stagecraft/contracts";
import { parseDemonstration, toConversation } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import type {
  CreateDraft,
  DemonstrationStored,
  Draft,
  DraftTurn,
  NextRequest,
  SaveDraft,
  SubmitDraft,
} from "../http/api/index.js";
import type { HttpContext } from "../http/context.js";
import type { Tx } from "../store/database.js";
import { insertFeedback } from "../store/feedback-rows.js";
import { sql } from "kysely";

/** What a person does on the Write page. */

/** A request that this person has neither answered nor begun to answer. */
export async function nextRequest(
  { database: { db } }: HttpContext,
  person: string,
): Promise<NextRequest> {
  const row = await db
    .selectFrom("requests as r")
    .select(["r.id", "r.turns"])
    .where(
      sql<boolean>`not exists (select 1 from drafts d where d.request_id = r.id and d.person_id = ${person})`,
    )
    .orderBy("r.created_at")
    .orderBy("r.id")
    .executeTakeFirst();
  return { request: row ? { requestId: row.id, turns: row.turns } : null };
}

/** One's own that are not submitted, the last changed first. */
export async function drafts({ database: { db } }: HttpContext, person: string): Promise<Draft[]> {
  const rows = await db
    .selectFrom("drafts")
    .selectAll()
    .where("person_id", "=", person)
    .where("feedback_id", "is", null)
    .orderBy("updated_at", "desc")
    .execute();
  return rows.map(toDraft);
}

export async function createDraft(
  { database, now }: HttpContext,
  person: string,
  { submissionId: id, requestId, turns }: CreateDraft,
): Promise<Draft> {
  return database.transact(async (tx) => {
    const row = { id, person_id: person, request_id: requestId, revision: 1, updated_at: now() };
    await tx
      .insertInto("drafts")
      .values({ ...row, turns: JSON.stringify(turns) })
      .onConflict((conflict) => conflict.column("id").doNothing())
      .execute();
    return draftOf(tx, id, person);
  });
}

export async function saveDraft(
  { database, now }: HttpContext,
  person: string,
  { draftId, revision, turns }: SaveDraft & { draftId: string },
): Promise<Draft> {
  return database.transact(async (tx) => {
    await openDraft(tx, draftId, { person, revision });
    const change = { turns: JSON.stringify(turns), revision: revision + 1, updated_at: now() };
    await tx.updateTable("drafts").set(change).where("id", "=", draftId).execute();
    return draftOf(tx, draftId, person);
  });
}

export async function dropDraft(
  { database: { db } }: HttpContext,
  person: string,
  draftId: string,
): Promise<void> {
  await db
    .deleteFrom("drafts")
    .where("id", "=", draftId)
    .where("person_id", "=", person)
    .where("feedback_id", "is", null)
    .execute();
}

/** The draft as it stands becomes a demonstration, with what the model had written beside it. */
export async function submitDraft(
  { database, now }: HttpContext,
  person: string,
  { draftId, submissionId, revision }: SubmitDraft & { draftId: string },
): Promise<DemonstrationStored> {
  return database.transact(async (tx) => {
    const before = await rowOf(tx, draftId, person);
    if (before.feedback_id === submissionId) return { demonstrationId: submissionId };
    const { turns } = await openDraft(tx, draftId, { person, revision });
    const value = { conversation: toConversation(turns), drafts: await draftedTurns(tx, turns) };
    checkTurns(turns);
    parseDemonstration(value);
    await insertFeedback(tx, {
      ...{ feedbackId: submissionId, createdAt: now(), comparisonId: "" },
      origin: { rater: person, kind: "", modelVersion: value.drafts[0]?.modelVersion ?? "" },
      body: { $case: "demonstration", value },
    });
    const done = { feedback_id: submissionId };
    await tx.updateTable("drafts").set(done).where("id", "=", draftId).execute();
    return { demonstrationId: submissionId };
  });
}

function checkTurns(turns: readonly DraftTurn[]): void {
  const empty = turns.findIndex(({ content }) => content.trim() === "");
  if (empty !== -1)
    throw invalid(`turns[${empty}].content`, `turn ${empty + 1} is empty`, "write it");
  if (turns.at(-1)?.role === "assistant") return;
  throw invalid("turns", "the last turn is not the assistant's", "write the answer");
}

function invalid(field: string, reason: string, advice: string): StagecraftError {
  return new StagecraftError("invalid_argument", reason, { details: { field, advice } });
}

async function draftedTurns(tx: Tx, turns: readonly DraftTurn[]): Promise<feedback.DraftedTurn[]> {
  const ids = turns.flatMap(({ answerId }) => (answerId === null ? [] : [answerId]));
  if (ids.length === 0) return [];
  const query = tx.selectFrom("answers").select(["id", "text", "model_version"]);
  const answers = new Map((await query.where("id", "in", ids).execute()).map((a) => [a.id, a]));
  return turns.flatMap(({ role, answerId }, message) => {
    const answer = role === "assistant" ? answers.get(answerId ?? "") : undefined;
    return answer ? [{ message, text: answer.text, modelVersion: answer.model_version }] : [];
  });
}

async function rowOf(tx: Tx, id: string, person: string) {
  const row = await tx
    .selectFrom("drafts")
    .selectAll()
    .where("id", "=", id)
    .where("person_id", "=", person)
    .forUpdate()
    .executeTakeFirst();
  if (row) return row;
  throw new StagecraftError("not_found", "this draft is not one of yours");
}

async function openDraft(
  tx: Tx,
  id: string,
  { person, revision }: { person: string; revision: number },
) {
  const row = await rowOf(tx, id, person);
  if (row.feedback_id !== null) {
    throw new StagecraftError("failed_precondition", "this draft has been submitted");
  }
  if (row.revision === revision) return row;
  throw new StagecraftError("aborted", "this draft was changed elsewhere", {
    details: { advice: "load it again" },
  });
}

const draftOf = async (tx: Tx, id: string, person: string) => toDraft(await rowOf(tx, id, person));

function toDraft(row: Awaited<ReturnType<typeof rowOf>>): Draft {
  const { id: draftId, request_id: requestId, turns, revision, updated_at } = row;
  return { draftId, requestId, turns, revision, updatedAt: updated_at.toISOString() };
}
