import type { AnswerRecord, Comparison, ComparisonRow } from "@stagecraft/eval";

/** What `gold` is, for whoever meets the column for the first time. */
export const GOLD_NOTE =
  "Gold: how good an answer is by the world's own rules, 0 to 1, without the labelers' noise. No model learns from it; it only judges.";

const WHY =
  "Exact match counts only answers that equal the reference word for word. The reward model has learnt what labelers prefer, and PPO follows the reward model: an answer worded otherwise, or one that pleases and is wrong, loses exact match and gains reward.";

/**
 * Where the last model's exact match is below that of the model before it although its gold score is
 * not: one note that names the kinds and says why this happens. None when it happens nowhere.
 */
export function exactFellNotes({ models, kinds, overall }: Comparison): string[] {
  const fell = [...(overall ? [overall] : []), ...kinds].filter(exactFellGoldRose).map(change);
  if (fell.length === 0) return [];
  const [before, after] = models.slice(-2);
  return [
    `Exact match fell from ${before} to ${after} while the gold score rose: ${fell.join("; ")}. ${WHY}`,
  ];
}

function exactFellGoldRose({ exact, gold = [] }: ComparisonRow): boolean {
  const [exactBefore, exactAfter] = exact.slice(-2);
  const [goldBefore, goldAfter] = gold.slice(-2);
  const known = [exactBefore, exactAfter, goldBefore, goldAfter].every(Number.isFinite);
  return known && exactAfter! < exactBefore! && goldAfter! > goldBefore!;
}

function change({ kind, exact, gold = [] }: ComparisonRow): string {
  const percents = exact.slice(-2).map((share) => `${Math.round(share! * 100)} %`);
  const golds = gold.slice(-2).map((value) => value!.toFixed(2));
  return `${kind} ${percents.join(" → ")} (gold ${golds.join(" → ")})`;
}

/** Kinds of prompt that show what the model can do; each gives one question. */
const ASKED_KINDS = ["question", "translation", "sentiment", "refusal"];

/** The shortest held-out prompt of each of four kinds: nobody picked them by their answers. */
export function questionsWorthAsking(answers: readonly AnswerRecord[]): string[] {
  return ASKED_KINDS.flatMap((wanted) => {
    const prompts = answers.filter(({ kind }) => kind === wanted).map(({ prompt }) => prompt);
    const [shortest] = prompts.sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
    return shortest === undefined ? [] : [shortest.replace(/\s+/g, " ").trim()];
  });
}
