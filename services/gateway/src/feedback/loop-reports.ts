import { feedback, invalidField } from "@stagecraft/contracts";
import type { Insertable } from "kysely";
import type { Db, Tx } from "../store/database.js";
import type { Tables } from "../store/tables.js";

const MAX_NAME_LENGTH = 128;
const MAX_TEXT_LENGTH = 10_000;

/** Keeps what a loop says about itself, in the place of what it said before. */
export async function reportLoop(
  tx: Tx,
  report: feedback.ReportLoopRequest,
  now: Date,
): Promise<void> {
  const { loop, state, text, finished } = report;
  const isKnown = Object.values(feedback.LoopState).includes(state);
  if (!isKnown || state <= feedback.LoopState.UNSPECIFIED)
    throw invalidField("state", state, "a state");
  if (loop.length < 1 || loop.length > MAX_NAME_LENGTH) {
    throw invalidField("length of loop", loop.length, `from 1 to ${MAX_NAME_LENGTH}`);
  }
  if (text.length > MAX_TEXT_LENGTH) {
    throw invalidField("length of text", text.length, `at most ${MAX_TEXT_LENGTH}`);
  }
  const body = JSON.stringify(feedback.ReportLoopRequest.toJSON(report));
  const row = { body, updated_at: now };
  await tx
    .insertInto("loops")
    .values({ name: loop, ...row })
    .onConflict((conflict) => conflict.column("name").doUpdateSet(row))
    .execute();
  if (!finished) return;
  const { round } = finished;
  const roundBody = JSON.stringify(feedback.LoopRoundResult.toJSON(finished));
  await keepRound(tx, { loop, round, body: roundBody, finished_at: now });
}

/** Told again, as a loop does when it starts anew, a round keeps its time. */
async function keepRound(tx: Tx, values: Insertable<Tables["loop_rounds"]>): Promise<void> {
  const { body } = values;
  await tx
    .insertInto("loop_rounds")
    .values(values)
    .onConflict((conflict) => conflict.columns(["loop", "round"]).doUpdateSet({ body }))
    .execute();
}

/** What the loop that spoke last said last, and when. */
export async function lastReport(
  db: Db,
): Promise<{ report: feedback.ReportLoopRequest; heardAt: Date } | undefined> {
  const query = db.selectFrom("loops").select(["body", "updated_at"]);
  const row = await query.orderBy("updated_at", "desc").limit(1).executeTakeFirst();
  return row && { report: feedback.ReportLoopRequest.fromJSON(row.body), heardAt: row.updated_at };
}

/** The rounds that a loop has ended, the last first. */
export async function finishedRounds(db: Db, loop: string) {
  const rows = await db
    .selectFrom("loop_rounds")
    .select(["body", "finished_at"])
    .where("loop", "=", loop)
    .orderBy("round", "desc")
    .limit(100)
    .execute();
  return rows.map(({ body, finished_at: finishedAt }) => {
    return { ...feedback.LoopRoundResult.fromJSON(body), finishedAt };
  });
}
