import { sql } from "kysely";
import type { RankProgress } from "../http/api/index.js";
import type { HttpContext } from "../http/context.js";
import { readSettings } from "../store/settings.js";
import { lastReport } from "./loop-reports.js";

/** How far a person and the round are. */
export async function rankProgress(
  { database: { db }, defaults, now }: HttpContext,
  person: string,
): Promise<RankProgress> {
  const { ratersPerComparison } = await readSettings(db, defaults);
  const today = new Date(now());
  today.setHours(0, 0, 0, 0);
  const { rows } = await sql<{
    waiting: number;
    today: number;
    total: number;
    pace: number | null;
  }>`select
    (select count(*) from comparisons c
      where c.withdrawn_at is null and c.gold is null and c.ranked < ${ratersPerComparison}
        and c.id not in (select comparison_id from assignments
          where person_id = ${person} and state <> 'held')
        and c.id not in (select comparison_id from feedback where rater = ${person})
    ) as waiting,
    (select count(*) from assignments where person_id = ${person} and state = 'ranked'
      and ended_at >= ${today}) as today,
    (select count(*) from assignments where person_id = ${person} and state = 'ranked') as total,
    (select percentile_cont(0.5) within group (order by elapsed_ms) from (
      select elapsed_ms from assignments where person_id = ${person} and elapsed_ms is not null
        order by ended_at desc limit 20) as last) as pace`.execute(db);
  const { waiting, pace, ...mine } = rows[0]!;
  const paceSeconds = pace === null ? null : Math.round(pace / 100) / 10;
  const round = await roundOf(db);
  return { round, waitingForMe: waiting, mine: { ...mine, paceSeconds } };
}

/** Rankings that the round has and needs, as its loop says. */
async function roundOf(db: HttpContext["database"]["db"]): Promise<RankProgress["round"]> {
  const report = (await lastReport(db))?.report;
  if (!report) return null;
  const need = report.waitsFor.find(({ what }) => what === "rankings");
  return { number: report.round, have: need?.have ?? 0, needed: need?.needed ?? null };
}
