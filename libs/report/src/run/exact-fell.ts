import type { Comparison, ComparisonRow } from "../page/report-data.js";

/** What it means when exact match falls although the score rises. */
const WHY =
  "Exact match counts only answers that equal the reference word for word. The reward model has learnt what labelers prefer, and PPO follows the reward model: an answer worded otherwise, or one that pleases and is wrong, loses exact match and gains reward.";

const ADVICE =
  "Read the answers of these kinds side by side. If they are right in other words, nothing is lost; if they are wrong, rank such answers, train the reward model on them, or stop PPO earlier (fewer updates, a larger KL coefficient).";

/** An alarm for a page, or a note for a table. */
export interface ExactFell {
  message: string;
  meaning: string;
  advice: string;
}

/**
 * Where the last model's exact match is below that of the model before it although its score is above:
 * the kinds, and why this happens. Undefined when it happens nowhere.
 */
export function exactFell(comparison: Comparison): ExactFell | undefined {
  const { models, kinds, overall, scorer = "gold" } = comparison;
  const rows = [...(overall ? [overall] : []), ...kinds].filter(exactFellScoreRose);
  if (rows.length === 0) return undefined;
  const [before, after] = models.slice(-2);
  const changes = rows.map((row) => change(row, scorer)).join("; ");
  const message = `Exact match fell from ${before} to ${after} while the ${scorer} score rose: ${changes}`;
  return { message, meaning: WHY, advice: ADVICE };
}

/** The same as a sentence under a table. */
export function exactFellNotes(comparison: Comparison): string[] {
  const fell = exactFell(comparison);
  return fell === undefined ? [] : [`${fell.message}. ${fell.meaning}`];
}

function exactFellScoreRose({ exact, gold = [] }: ComparisonRow): boolean {
  const [exactBefore, exactAfter] = exact.slice(-2);
  const [goldBefore, goldAfter] = gold.slice(-2);
  const known = [exactBefore, exactAfter, goldBefore, goldAfter].every(Number.isFinite);
  return known && exactAfter! < exactBefore! && goldAfter! > goldBefore!;
}

function change({ kind, exact, gold = [] }: ComparisonRow, scorer: string): string {
  const percents = exact.slice(-2).map((share) => `${Math.round(share! * 100)} %`);
  const golds = gold.slice(-2).map((value) => value!.toFixed(2));
  return `${kind} ${percents.join(" → ")} (${scorer} ${golds.join(" → ")})`;
}
