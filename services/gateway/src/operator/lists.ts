import { feedback } from "@stagecraft/contracts";
import { sql } from "kysely";
import { queueStatus } from "../feedback/comparisons-admin.js";
import { ownFeedback } from "../feedback/own-feedback.js";
import { toTurns } from "../feedback/turns.js";
import type {
  AuditRow,
  ComparisonState,
  FlagCategory,
  FlagSeen,
  GoldItem,
  Overview,
  Paged,
  Queue,
} from "../http/api/index.js";
import type { HttpContext } from "../http/context.js";
import { goldPairs } from "../people/agreement.js";
import { namesOf } from "../people/overview.js";
import { standingRankings } from "../people/rankings.js";
import type { Db } from "../store/database.js";
import { readSettings } from "../store/settings.js";

const PAGE_SIZE = 50;
const AUDIT_PAGE_SIZE = 100;

/** Counts for the operator's page. */
export async function overview({
  database: { db },
  defaults,
  now,
}: HttpContext): Promise<Overview> {
  const { ratersPerComparison } = await readSettings(db, defaults);
  const queue = await queueStatus(db, { batch: "", ratersPerComparison, now: now() });
  const { rows } = await sql<{ demonstrations: number; flags: number; gold: number }>`select
    (select count(*) from feedback where kind = 'demonstration') as demonstrations,
    (select count(*) from feedback where kind = 'flag') as flags,
    (select count(*) from comparisons where gold is not null) as gold`.execute(db);
  const { gold, ...counts } = rows[0]!;
  return {
    comparisons: { open: queue.numOpen, done: queue.numDone, withdrawn: queue.numWithdrawn, gold },
    ...{ leases: queue.numHeld, rankings: queue.numRankings, ...counts },
    skips: await skipsByReason(db),
    rankingsByHour: await rankingsByHour(db, now()),
  };
}

async function skipsByReason(db: Db): Promise<Overview["skips"]> {
  const rows = await db
    .selectFrom("assignments")
    .select((eb) => ["skip_reason", eb.fn.countAll<number>().as("count")])
    .where("state", "=", "skipped")
    .groupBy("skip_reason")
    .orderBy("count", "desc")
    .execute();
  return rows.map(({ skip_reason, count }) => ({ reason: skip_reason || "other", count }));
}

async function rankingsByHour(db: Db, now: Date): Promise<number[]> {
  const since = new Date(now.getTime() - 24 * 3_600_000);
  const { rows } = await sql<{ hour: number; count: number }>`
    select floor(extract(epoch from created_at - ${since}) / 3600)::int as hour, count(*) as count
    from feedback where kind = 'ranking' and created_at > ${since} and created_at <= ${now}
    group by 1`.execute(db);
  const counts = new Map(rows.map(({ hour, count }) => [hour, count]));
  return Array.from({ length: 24 }, (_, hour) => counts.get(hour) ?? 0);
}

/** Comparisons of one state, the newest first; gold items are among the open ones. */
export async function queueItems(
  { database: { db }, defaults, now }: HttpContext,
  { state, after }: { state: ComparisonState; after: string },
): Promise<Queue> {
  const { ratersPerComparison: wanted } = await readSettings(db, defaults);
  const isIn = {
    open: sql`withdrawn_at is null and (ranked < ${wanted} or gold is not null)`,
    done: sql`withdrawn_at is null and ranked >= ${wanted} and gold is null`,
    withdrawn: sql`withdrawn_at is not null`,
  }[state];
  const before = after === "" ? sql`true` : sql`position < ${Number(after)}`;
  const { rows } = await sql<{
    position: number;
    id: string;
    body: object;
    created_at: Date;
    ranked: number;
    isGold: boolean;
    held: number;
    skipped: number;
  }>`select position, id, body, created_at, ranked, gold is not null as "isGold",
      (select count(*) from assignments a where a.comparison_id = c.id and a.state = 'held'
        and a.expires_at > ${now()}) as held,
      (select count(*) from assignments a where a.comparison_id = c.id and a.state = 'skipped') as skipped
    from comparisons c where ${isIn} and ${before} order by position desc limit ${PAGE_SIZE + 1}`.execute(
    db,
  );
  const page = rows.slice(0, PAGE_SIZE);
  const items = page.map(
    ({ id: comparisonId, body, created_at, ranked, isGold: gold, held, skipped }) => {
      const { prompt, answers, kind, modelVersion } = feedback.Comparison.fromJSON(body);
      const about = {
        comparisonId,
        createdAt: created_at.toISOString(),
        state,
        modelVersion,
        kind,
      };
      return { ...about, request: toTurns(prompt), answers, gold, ranked, held, skipped, wanted };
    },
  );
  return { items, next: rows.length > PAGE_SIZE ? String(page.at(-1)!.position) : null };
}

/** Comparisons whose right order is known, and how people did. */
export async function goldItems(db: Db): Promise<GoldItem[]> {
  const query = db.selectFrom("comparisons").select(["id", "body", "gold"]);
  const rows = await query.where("gold", "is not", null).orderBy("position").execute();
  const rankings = await standingRankings(db, true);
  return rows.map(({ id: comparisonId, body, gold }) => {
    const { prompt, answers } = feedback.Comparison.fromJSON(body);
    const said = rankings.filter((ranking) => ranking.comparisonId === comparisonId);
    const measured = said.map(({ ranking }) => goldPairs(gold!, ranking.ranks));
    const pairs = measured.reduce((sum, each) => sum + each.pairs, 0);
    const right = measured.reduce((sum, each) => sum + each.right, 0);
    const accuracy = pairs === 0 ? null : right / pairs;
    const item = { comparisonId, request: toTurns(prompt), answers, ranks: gold! };
    return { ...item, ranked: said.length, accuracy };
  });
}

/** Every flag, the newest first. */
export async function flagsSeen(db: Db, { after }: { after: string }): Promise<Paged<FlagSeen>> {
  const names = await namesOf(db);
  const { items, next } = await ownFeedback(db, "flag", { after });
  return {
    next,
    items: items.map(({ feedbackId: flagId, createdAt, origin, body }) => {
      const { conversation, category, comment } = body!.value as feedback.Flag;
      const { rater = "", modelVersion = "" } = origin ?? {};
      return {
        ...{ flagId, createdAt: createdAt!.toISOString(), by: names.get(rater) ?? rater },
        category: (category || "other") as FlagCategory,
        ...{ comment, modelVersion, turns: toTurns(conversation) },
      };
    }),
  };
}

/** Who changed what, the newest first. */
export async function auditRows(db: Db, { after }: { after: string }): Promise<Paged<AuditRow>> {
  let query = db.selectFrom("audit").selectAll();
  if (after !== "") query = query.where("id", "<", Number(after));
  const rows = await query
    .orderBy("id", "desc")
    .limit(AUDIT_PAGE_SIZE + 1)
    .execute();
  const page = rows.slice(0, AUDIT_PAGE_SIZE);
  return {
    items: page.map(({ id: _, at, ...row }) => ({ at: at.toISOString(), ...row })),
    next: rows.length > AUDIT_PAGE_SIZE ? String(page.at(-1)!.id) : null,
  };
}
