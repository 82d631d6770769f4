import type { Ranking } from "@stagecraft/data";
import { loadRewardModel, rankingReport, toRewardItem } from "@stagecraft/learn";
import { loadTokenizer } from "@stagecraft/tokenizer";

/** How a reward model does on held-out rankings. */
export interface Judgement {
  /** Both absent without pairs. */
  accuracy?: number;
  crossEntropy?: number;
  numPairs: number;
}

/** Judges a reward model, or an ensemble by its mean. */
export async function judgeRewardModel(
  directory: string,
  rankings: readonly Ranking[],
): Promise<Judgement> {
  const tokenizer = await loadTokenizer(directory);
  const model = await loadRewardModel(directory);
  try {
    const { maxPositions: maxLength } = model.members[0]!.config;
    const scored = rankings.map((ranking) => {
      const item = toRewardItem(ranking, { tokenizer, maxLength, objective: "ranking" });
      return { ...item, scores: model.score(item.sequences).map(({ mean }) => mean) };
    });
    const { accuracy, crossEntropy, numPairs } = rankingReport(scored);
    return { accuracy, crossEntropy, numPairs };
  } finally {
    model.dispose();
  }
}

/**
 * Whether a candidate takes over: only if it orders more of the held-out pairs as the raters did, or
 * as many with the lower cross-entropy. Without held-out pairs nothing is shown and nothing changes.
 */
export function beats(candidate: Judgement, inUse: Judgement): boolean {
  const { accuracy, crossEntropy } = candidate;
  if (candidate.numPairs === 0 || accuracy === undefined || crossEntropy === undefined)
    return false;
  const { accuracy: before = 0, crossEntropy: entropyBefore = Infinity } = inUse;
  return accuracy === before ? crossEntropy < entropyBefore : accuracy > before;
}
