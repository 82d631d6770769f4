import { StagecraftError } from "@stagecraft/core";
import { maskedMean, type Numbers } from "./masked.js";

export interface GaeInput {
  /** r_t of one sequence, [T]. */
  rewards: Numbers;
  /** V of the state before token t, [T]; V after the last token is 0 (the episode is over). */
  values: Numbers;
  /** γ, 1 in language tasks. */
  gamma: number;
  /** λ, .95. */
  gaeLambda: number;
}

/**
 * Generalised advantage estimation (Schulman et al. 2016): δ_t = r_t + γV_{t+1} − V_t,
 * A_t = δ_t + γλA_{t+1}; returns R = A + V come from the UNwhitened advantages.
 */
export function gae(input: GaeInput): { advantages: Float64Array; returns: Float64Array } {
  const { rewards, values, gamma, gaeLambda } = input;
  const length = rewards.length;
  const advantages = new Float64Array(length);
  let next = 0;
  for (let t = length - 1; t >= 0; t--) {
    const delta = rewards[t]! + gamma * (t + 1 < length ? values[t + 1]! : 0) - values[t]!;
    next = delta + gamma * gaeLambda * next;
    advantages[t] = next;
  }
  return { advantages, returns: advantages.map((advantage, t) => advantage + values[t]!) };
}

/**
 * REINFORCE leave-one-out (Kool et al. 2019; Ahmadian et al. 2024): an answer's return minus the
 * mean return of the other answers to the same prompt. `groups[i]` names the prompt of answer i.
 * Throws invalid_argument when a prompt has fewer than two answers.
 */
export function rlooAdvantages(returns: Numbers, groups: Numbers): Float64Array {
  return byGroup(returns, groups, (group) => {
    const sum = group.reduce((total, value) => total + value, 0);
    return group.map((value) => value - (sum - value) / (group.length - 1));
  });
}

export interface GrpoOptions {
  /** Divide by the group's standard deviation (GRPO) or not (Dr. GRPO, Liu et al. 2025). */
  scaleByStd?: boolean;
  eps?: number;
}

/**
 * Group-relative advantages (GRPO, Shao et al. 2024): (r − mean)/(std + eps) within the answers to
 * one prompt, biased standard deviation, so that equal scores give 0.
 */
export function grpoAdvantages(
  returns: Numbers,
  groups: Numbers,
  options: GrpoOptions = {},
): Float64Array {
  const { scaleByStd = true, eps = 1e-4 } = options;
  return byGroup(returns, groups, (group) => {
    const mean = maskedMean(group);
    const std = Math.sqrt(maskedMean(group.map((value) => (value - mean) ** 2)));
    return group.map((value) => (value - mean) / (scaleByStd ? std + eps : 1));
  });
}

function byGroup(
  returns: Numbers,
  groups: Numbers,
  advantagesOf: (group: number[]) => number[],
): Float64Array {
  const members = new Map<number, number[]>();
  for (let i = 0; i < returns.length; i++) {
    const list = members.get(groups[i]!) ?? [];
    list.push(i);
    members.set(groups[i]!, list);
  }
  const advantages = new Float64Array(returns.length);
  for (const [group, indices] of members) {
    if (indices.length < 2) {
      throw new StagecraftError(
        "invalid_argument",
        `group advantages need at least two answers per prompt, prompt ${group} has ${indices.length}; raise samplesPerPrompt`,
      );
    }
    const values = advantagesOf(indices.map((i) => returns[i]!));
    indices.forEach((i, k) => (advantages[i] = values[k]!));
  }
  return advantages;
}
