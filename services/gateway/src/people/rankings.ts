import { feedback } from "@stagecraft/contracts";
import type { Db } from "../store/database.js";

/** One ranking that stands, of a person whose name is known. */
export interface StandingRanking {
  comparisonId: string;
  personId: string;
  ranking: feedback.Ranking;
}

/** The most that are read for agreement and gold accuracy: the newest. */
const MAX_RANKINGS = 20_000;

/** Rankings of comparisons that stand, gold items or the others. */
export async function standingRankings(db: Db, isGold: boolean): Promise<StandingRanking[]> {
  const rows = await db
    .selectFrom("feedback")
    .innerJoin("comparisons", "comparisons.id", "feedback.comparison_id")
    .select(["feedback.body", "feedback.rater", "comparisons.id"])
    .where("kind", "=", "ranking")
    .where("revised", "=", false)
    .where("rater", "<>", "")
    .where("gold", isGold ? "is not" : "is", null)
    .orderBy("feedback.position", "desc")
    .limit(MAX_RANKINGS)
    .execute();
  return rows.map(({ body, rater: personId, id: comparisonId }) => {
    const { body: said } = feedback.Feedback.fromJSON(body);
    return { comparisonId, personId, ranking: said!.value as feedback.Ranking };
  });
}

/** By criterion (`overall` is the order as a whole), then by comparison. */
export function byCriterion(
  rankings: readonly StandingRanking[],
): Map<string, Map<string, { personId: string; ranks: number[] }[]>> {
  const all = new Map<string, Map<string, { personId: string; ranks: number[] }[]>>();
  for (const { comparisonId, personId, ranking } of rankings) {
    const said = [{ criterion: "overall", ranks: ranking.ranks }, ...ranking.criteria];
    for (const { criterion, ranks } of said) {
      const comparisons =
        all.get(criterion) ?? new Map<string, { personId: string; ranks: number[] }[]>();
      all.set(criterion, comparisons);
      comparisons.set(comparisonId, [
        ...(comparisons.get(comparisonId) ?? []),
        { personId, ranks },
      ]);
    }
  }
  return all;
}
