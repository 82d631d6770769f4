import { logSigmoid, sigmoid } from "./ranking-loss.js";

/** How well scores of single answers meet their targets; nothing is said of no answers. */
export interface AnswerReport {
  /** Share of answers on the right side of .5. */
  targetAccuracy?: number;
  /** Mean cross-entropy of σ(score) against the target. */
  targetCrossEntropy?: number;
  /** Root of the mean squared error of σ(score). */
  targetRmse?: number;
}

/** Judges classification and regression models; `targets` in 0–1. */
export function answerReport(scores: readonly number[], targets: readonly number[]): AnswerReport {
  const n = scores.length;
  if (n === 0) return {};
  let right = 0;
  let crossEntropy = 0;
  let squares = 0;
  scores.forEach((score, i) => {
    const target = targets[i]!;
    right += score >= 0 === target >= 0.5 ? 1 : 0;
    crossEntropy -= target * logSigmoid(score) + (1 - target) * logSigmoid(-score);
    squares += (sigmoid(score) - target) ** 2;
  });
  return {
    targetAccuracy: right / n,
    targetCrossEntropy: crossEntropy / n,
    targetRmse: Math.sqrt(squares / n),
  };
}
