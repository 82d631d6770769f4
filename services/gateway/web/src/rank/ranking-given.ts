import type { RankingGiven } from "../../../src/http/api/index.js";
import { count, letter } from "../ui/format.js";
import { OVERALL, unrankedOf, type RankState } from "./rank-state.js";

/** Either what is to be stored, which is exactly what is on the screen, or what is missing and where. */
export type Submittable =
  | { given: RankingGiven; problem?: undefined }
  | { given?: undefined; problem: string; row: number; answer: number };

/**
 * What Enter submits. Nothing is left out quietly: a criterion is ranked whole, or not at all if it may be.
 */
export function submittable({ rows, ranks }: RankState): Submittable {
  const criteria: Record<string, number[]> = {};
  for (const [i, row] of rows.entries()) {
    const open = unrankedOf(ranks[i]!);
    const isUntouched = open.length === ranks[i]!.length;
    if (isUntouched && !row.isRequired) continue;
    if (open.length > 0) return { problem: problemText(row.name, open), row: i, answer: open[0]! };
    criteria[row.id] = ranks[i]!.map((rank) => rank!);
  }
  const { [OVERALL.id]: overall, ...others } = criteria;
  return { given: { ranks: overall!, criteria: others } };
}

function problemText(name: string, open: readonly number[]): string {
  const which = open.map(letter).join(", ");
  return `${name}: ${count(open.length, "answer")} without a rank yet (${which}).`;
}

/** Whether two rankings say the same. */
export function isSameRanking(a: RankingGiven, b: RankingGiven): boolean {
  const text = ({ ranks, criteria }: RankingGiven) =>
    JSON.stringify([ranks, Object.entries(criteria).sort(([x], [y]) => (x < y ? -1 : 1))]);
  return text(a) === text(b);
}
