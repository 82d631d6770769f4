import { StagecraftError } from "@stagecraft/core";
import type { Numbers } from "./masked.js";

/** What happens to the score of an answer that never ended (no EOS within the length limit). */
export interface MissingEosRule {
  /** `score`: replaced by `value`; `penalty`: `value` is subtracted; `keep`: left alone. */
  kind: "score" | "penalty" | "keep";
  value: number;
}

/**
 * The answer up to and including the first token that ends one; everything after it is not part of
 * the text [N+].
 */
export function cutAfterEos(
  ids: Int32Array,
  endIds: readonly number[],
): { ids: Int32Array; hasEos: boolean } {
  const end = ids.findIndex((id) => endIds.includes(id));
  return end < 0 ? { ids, hasEos: false } : { ids: ids.subarray(0, end + 1), hasEos: true };
}

/** The score PPO learns from: the reward model's, or the rule's when the answer has no EOS [N+]. */
export function scoreWithEosRule(score: number, hasEos: boolean, rule: MissingEosRule): number {
  if (hasEos || rule.kind === "keep") return score;
  return rule.kind === "score" ? rule.value : score - rule.value;
}

export interface TokenRewardsInput {
  /** log π_old of each response token, [T]. */
  logProbs: Numbers;
  /** log π_ref of the same tokens, [T]. */
  refLogProbs: Numbers;
  score: number;
  /** β; 0 when the KL is in the loss instead. */
  klCoef: number;
  /** Where the score lands: the EOS token; default the last one. */
  scoreIndex?: number;
}

/**
 * r_t = −β·(log π_old − log π_ref), plus the score on the EOS or last token [IG, N+; reference 11].
 * Always Σ_t r_t = score − β·Σ_t kl_t. Throws invalid_argument for unequal lengths or an empty answer.
 */
export function tokenRewards(input: TokenRewardsInput): Float64Array {
  const { logProbs, refLogProbs, score, klCoef } = input;
  const scoreIndex = input.scoreIndex ?? logProbs.length - 1;
  if (logProbs.length !== refLogProbs.length || logProbs[scoreIndex] === undefined) {
    throw new StagecraftError(
      "invalid_argument",
      `token rewards need log-probs of equal length and a score index inside them, got ${logProbs.length}, ${refLogProbs.length} and ${scoreIndex}`,
    );
  }
  const rewards = Float64Array.from(
    { length: logProbs.length },
    (_, t) => -klCoef * (logProbs[t]! - refLogProbs[t]!),
  );
  rewards[scoreIndex]! += score;
  return rewards;
}
