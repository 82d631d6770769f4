import type { Numbers } from "./masked.js";

/** Schulman's estimators of KL(π‖π_ref) ("Approximating KL divergence", 2020). */
export type KlEstimator = "k1" | "k2" | "k3";

/**
 * One sample's estimate from l = log π − log π_ref, for samples drawn from π: k1 = l (unbiased),
 * k2 = l²/2 (biased, never negative), k3 = e^(−l) − 1 + l (unbiased, never negative).
 */
export function klEstimate(estimator: KlEstimator, logRatio: number): number {
  switch (estimator) {
    case "k1":
      return logRatio;
    case "k2":
      return (logRatio * logRatio) / 2;
    case "k3":
      return Math.expm1(-logRatio) + logRatio;
  }
}

/** Σ_t (log π − log π_ref) over one sequence: the KL that PPO reports and controls. */
export function sequenceKl(logProbs: Numbers, refLogProbs: Numbers): number {
  let sum = 0;
  for (let t = 0; t < logProbs.length; t++) sum += logProbs[t]! - refLogProbs[t]!;
  return sum;
}
