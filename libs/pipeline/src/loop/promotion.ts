import type { Ranking } from "@stagecraft/data";
import { loadRewardModel, rankedPairs, rankingReport, toRewardItem } from "@stagecraft/learn";
import { loadTokenizer } from "@stagecraft/tokenizer";
import { signTest, type SignTest } from "./sign-test.js";

/** How a reward model does on held-out rankings. */
export interface Judgement {
  /** Absent without pairs. */
  accuracy?: number;
  numPairs: number;
  /** Pairs ordered as the raters did, by prompt; equal scores count ½. */
  agreed: ReadonlyMap<string, number>;
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
    const { accuracy, numPairs } = rankingReport(scored);
    const agreed = new Map<string, number>();
    for (const [i, { scores, ranks }] of scored.entries()) {
      const prompt = JSON.stringify(rankings[i]!.prompt);
      agreed.set(prompt, (agreed.get(prompt) ?? 0) + numAgreed(scores, ranks));
    }
    return { ...(accuracy !== undefined && { accuracy }), numPairs, agreed };
  } finally {
    model.dispose();
  }
}

function numAgreed(scores: readonly number[], ranks: readonly number[]): number {
  const agreement = rankedPairs(ranks).map(({ winner, loser }): number => {
    const margin = scores[winner]! - scores[loser]!;
    return margin === 0 ? 0.5 : margin > 0 ? 1 : 0;
  });
  return agreement.reduce((sum, share) => sum + share, 0);
}

/**
 * Compares two reward models on the same held-out rankings: of how many prompts does the candidate
 * order more pairs as people did, of how many fewer? Prompts are the cases, not pairs: the pairs of
 * one prompt share answers, and one rater's whim would count many times.
 */
export function compareRewardModels(candidate: Judgement, inUse: Judgement): SignTest {
  return signTest(
    [...candidate.agreed].map(([prompt, count]) => count - (inUse.agreed.get(prompt) ?? 0)),
  );
}
