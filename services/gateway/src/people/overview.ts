import { meanOf } from "@stagecraft/core";
import { feedback } from "@stagecraft/contracts";
import { sql } from "kysely";
import type { Agreement, Disagreements, Person, PersonRole } from "../http/api/index.js";
import { toTurns } from "../feedback/turns.js";
import type { Db } from "../store/database.js";
import { goldPairs, kendallW, krippendorffAlpha } from "./agreement.js";
import { byCriterion, standingRankings } from "./rankings.js";

/** Everybody with what they have done. */
export async function peopleWithWork(db: Db): Promise<Person[]> {
  const gold = await goldByPerson(db);
  const { rows } = await sql<{
    id: string;
    name: string;
    roles: PersonRole[];
    active: boolean;
    created_at: Date;
    last_seen_at: Date | null;
    rankings: number;
    demonstrations: number;
    flags: number;
    skips: number;
    ms: number | null;
  }>`select p.*,
      (select count(*) from feedback f where f.rater = p.id and f.kind = 'ranking' and not f.revised) as rankings,
      (select count(*) from feedback f where f.rater = p.id and f.kind = 'demonstration') as demonstrations,
      (select count(*) from feedback f where f.rater = p.id and f.kind = 'flag') as flags,
      (select count(*) from assignments a where a.person_id = p.id and a.state = 'skipped') as skips,
      (select percentile_cont(0.5) within group (order by a.elapsed_ms) from assignments a
        where a.person_id = p.id and a.elapsed_ms is not null) as ms
    from people p order by p.created_at, p.id`.execute(db);
  return rows.map(({ id: personId, name, roles, active, ...row }) => {
    const measured = gold.get(personId) ?? { right: 0, pairs: 0 };
    return {
      ...{ personId, name, roles, active },
      createdAt: row.created_at.toISOString(),
      lastSeenAt: row.last_seen_at?.toISOString() ?? null,
      work: {
        rankings: row.rankings,
        demonstrations: row.demonstrations,
        flags: row.flags,
        skips: row.skips,
        secondsPerRanking: row.ms === null ? null : Math.round(row.ms / 100) / 10,
        goldAccuracy: measured.pairs === 0 ? null : measured.right / measured.pairs,
        goldPairs: measured.pairs,
      },
    };
  });
}

type Measured = ReturnType<typeof goldPairs>;

async function goldByPerson(db: Db): Promise<Map<string, Measured>> {
  const ranksOf = await goldRanks(db);
  const people = new Map<string, Measured>();
  for (const { comparisonId, personId, ranking } of await standingRankings(db, true)) {
    const one = goldPairs(ranksOf.get(comparisonId)!, ranking.ranks);
    const { right, pairs } = people.get(personId) ?? { right: 0, pairs: 0 };
    people.set(personId, { right: right + one.right, pairs: pairs + one.pairs });
  }
  return people;
}

/** The right ranks of every gold item. */
async function goldRanks(db: Db): Promise<Map<string, number[]>> {
  const query = db.selectFrom("comparisons").select(["id", "gold"]).where("gold", "is not", null);
  return new Map((await query.execute()).map(({ id, gold }) => [id, gold!]));
}

/** Over comparisons that two or more people ranked. */
export async function agreement(db: Db): Promise<Agreement> {
  const all = byCriterion(await standingRankings(db, false));
  const criteria = [...all].map(([criterion, comparisons]) => {
    const several = [...comparisons.values()].filter((said) => said.length >= 2);
    const rows = several.map((said) => said.map(({ ranks }) => ranks));
    const coefficients = rows.map(kendallW).filter((w) => w !== null);
    return {
      criterion,
      alpha: krippendorffAlpha(rows),
      kendallW: meanOf(coefficients) ?? null,
      comparisons: several.length,
      people: new Set(several.flat().map(({ personId }) => personId)).size,
    };
  });
  return { criteria };
}

const MAX_DISAGREEMENTS = 50;

/** Comparisons on which people are furthest apart. */
export async function disagreements(db: Db): Promise<Disagreements> {
  const overall = byCriterion(await standingRankings(db, false)).get("overall") ?? new Map();
  const judged = [...overall].flatMap(([comparisonId, said]) => {
    const w = kendallW(said.map(({ ranks }: { ranks: number[] }) => ranks));
    return w === null ? [] : [{ comparisonId, said, w }];
  });
  const worst = judged.sort((a, b) => a.w - b.w).slice(0, MAX_DISAGREEMENTS);
  if (worst.length === 0) return { disagreements: [] };
  const ids = worst.map(({ comparisonId }) => comparisonId as string);
  const bodies = await db
    .selectFrom("comparisons")
    .select(["id", "body"])
    .where("id", "in", ids)
    .execute();
  const bodyOf = new Map(bodies.map(({ id, body }) => [id, feedback.Comparison.fromJSON(body)]));
  const names = await namesOf(db);
  return {
    disagreements: worst.map(({ comparisonId, said, w }) => {
      const { prompt, answers } = bodyOf.get(comparisonId as string)!;
      const rankings = said.map(({ personId, ranks }: { personId: string; ranks: number[] }) => {
        return { personId, name: names.get(personId) ?? personId, ranks };
      });
      return {
        comparisonId: comparisonId as string,
        request: toTurns(prompt),
        answers,
        kendallW: w,
        rankings,
      };
    }),
  };
}

/** Names by id. */
export async function namesOf(db: Db): Promise<Map<string, string>> {
  const rows = await db.selectFrom("people").select(["id", "name"]).execute();
  return new Map(rows.map(({ id, name }) => [id, name]));
}
