import type { feedback } from "@stagecraft/contracts";
import { invalidField } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { sql } from "kysely";
import type { Db, Tx } from "../store/database.js";

/** Nobody is given these any more; returns how many were in the queue until now. */
export async function withdrawComparisons(
  tx: Tx,
  { comparisonIds, batch }: feedback.WithdrawComparisonsRequest,
  now: Date,
): Promise<number> {
  if (comparisonIds.length === 0 && batch === "") return 0;
  const rows = await tx
    .updateTable("comparisons")
    .set({ withdrawn_at: now })
    .where("withdrawn_at", "is", null)
    .where((eb) =>
      eb.or([
        ...(comparisonIds.length > 0 ? [eb("id", "in", comparisonIds)] : []),
        ...(batch === "" ? [] : [eb("batch", "=", batch)]),
      ]),
    )
    .returning("id")
    .execute();
  return rows.length;
}

/** Names the right order of a comparison; no ranks = it is gold no longer. */
export async function setGold(
  tx: Tx,
  comparisonId: string,
  ranks: readonly number[],
): Promise<void> {
  const query = tx.selectFrom("comparisons").select("body").where("id", "=", comparisonId);
  const row = await query.executeTakeFirst();
  if (!row) throw new StagecraftError("not_found", `there is no comparison ${comparisonId}`);
  const { answers } = row.body as { answers: string[] };
  if (ranks.length > 0) checkGold(ranks, answers.length);
  const gold = ranks.length === 0 ? null : JSON.stringify(ranks);
  await tx.updateTable("comparisons").set({ gold }).where("id", "=", comparisonId).execute();
}

function checkGold(ranks: readonly number[], numAnswers: number): void {
  if (ranks.length !== numAnswers) {
    throw invalidField("length of ranks", ranks.length, `one for each of ${numAnswers} answers`);
  }
  const bad = ranks.findIndex((rank) => !Number.isInteger(rank) || rank < 1 || rank > numAnswers);
  if (bad !== -1) throw invalidField(`ranks[${bad}]`, ranks[bad], `from 1 to ${numAnswers}`);
  if (new Set(ranks).size > 1) return;
  throw invalidField("ranks", ranks.join(","), "of which two differ: all ties measure nobody");
}

/** Counts of the queue, of a batch or (empty) of all; gold items are left out. */
export async function queueStatus(
  db: Db,
  { batch, ratersPerComparison, now }: { batch: string; ratersPerComparison: number; now: Date },
): Promise<feedback.GetQueueStatusResponse> {
  const isWanted = batch === "" ? sql`true` : sql`c.batch = ${batch}`;
  const { rows } = await sql<feedback.GetQueueStatusResponse>`
    select
      count(*) filter (where withdrawn_at is null and ranked < ${ratersPerComparison}) as "numOpen",
      count(*) filter (where withdrawn_at is null and ranked >= ${ratersPerComparison}) as "numDone",
      count(*) filter (where withdrawn_at is not null) as "numWithdrawn",
      (select count(*) from assignments a join comparisons c on c.id = a.comparison_id
        where a.state = 'held' and a.expires_at > ${now} and c.gold is null
          and c.withdrawn_at is null and ${isWanted}) as "numHeld",
      (select count(*) from feedback f join comparisons c on c.id = f.comparison_id
        where f.kind = 'ranking' and not f.revised and c.gold is null and ${isWanted}) as "numRankings"
    from comparisons c where gold is null and ${isWanted}`.execute(db);
  return { ...rows[0]!, ratersPerComparison };
}
