import { klEstimate } from "./kl.js";
import type { Numbers } from "./masked.js";

/**
 * Log-ratios count up to ±20 (a factor of 5·10⁸) and have no gradient beyond: no ratio that learning
 * makes is near it, and a sampler's wrong log-prob cannot make a loss infinite.
 */
export const MAX_LOG_RATIO = 20;

/** exp of a log-ratio within its bounds. */
function ratioOf(logRatio: number): number {
  return Math.exp(boundedLogRatio(logRatio));
}

function boundedLogRatio(logRatio: number): number {
  return Math.min(Math.max(logRatio, -MAX_LOG_RATIO), MAX_LOG_RATIO);
}

export interface ClipOptions {
  /** Lower and upper half-width of the ratio's trust region: [1 − low, 1 + high]. */
  clipLow: number;
  clipHigh: number;
  /** Dual clip (Ye et al. 2020): for A < 0 the loss is at most −dualClip·A. 0 = off; 3 is usual. */
  dualClip?: number;
}

export interface PolicyLossInput {
  /** log π of the policy in training. */
  logProbs: Numbers;
  /** log π_old, or log π_prox in the decoupled objective. */
  oldLogProbs: Numbers;
  advantages: Numbers;
  /** Weights of the mean, Σ = 1, 0 on masked tokens; see `meanWeights`. */
  weights: Numbers;
  /** π_prox/π_behav of each token, see `behaviourWeights`; default 1 (plain PPO). */
  importance?: Numbers;
}

export interface PolicyLossResult {
  loss: number;
  /** Share of the weight where the clipped branch is the larger one. */
  clipFraction: number;
  /** k3 estimate of KL(π_old‖π) of this update. */
  approxKl: number;
  /** Largest |ρ − 1|; 0 on the first minibatch of an update when sampler and trainer agree. */
  maxRatioError: number;
}

/**
 * PPO's clipped surrogate (Schulman et al. 2017, eq. 7, negated): the weighted mean of
 * max(−Aρ, −A·clip(ρ, 1 − low, 1 + high)), ρ = exp(log π − log π_old), times the importance weight
 * of the decoupled objective [AReaL]. All in float64.
 */
export function policyLoss(input: PolicyLossInput, options: ClipOptions): PolicyLossResult {
  const result = { loss: 0, clipFraction: 0, approxKl: 0, maxRatioError: 0 };
  for (let i = 0; i < input.logProbs.length; i++) {
    const weight = input.weights[i]!;
    if (weight === 0) continue;
    const logRatio = boundedLogRatio(input.logProbs[i]! - input.oldLogProbs[i]!);
    const token = clippedTokenLoss(Math.exp(logRatio), input.advantages[i]!, options);
    result.loss += weight * (input.importance?.[i] ?? 1) * token.loss;
    result.clipFraction += token.clipped ? weight : 0;
    // Samples are from π_old, so the estimator's log-ratio is log π_old − log π.
    result.approxKl += weight * klEstimate("k3", -logRatio);
    result.maxRatioError = Math.max(result.maxRatioError, Math.abs(Math.expm1(logRatio)));
  }
  return result;
}

function clippedTokenLoss(ratio: number, advantage: number, options: ClipOptions) {
  const { clipLow, clipHigh, dualClip = 0 } = options;
  const free = -advantage * ratio;
  const bounded = -advantage * Math.min(Math.max(ratio, 1 - clipLow), 1 + clipHigh);
  const loss = Math.max(free, bounded);
  const limit = dualClip > 0 && advantage < 0 ? -advantage * dualClip : Infinity;
  return { loss: Math.min(loss, limit), clipped: bounded > free || loss > limit };
}

export interface ValueLossInput {
  values: Numbers;
  oldValues: Numbers;
  returns: Numbers;
  weights: Numbers;
}

/**
 * ½ weighted mean of max((V − R)², (clip(V, V_old ± clipRange) − R)²) [Z, 37]; clipRange 0 = no
 * clipping. `clipFraction` is the share where the clipped error is the larger one.
 */
export function valueLoss(
  input: ValueLossInput,
  clipRange: number,
): { loss: number; clipFraction: number } {
  let loss = 0;
  let clipFraction = 0;
  for (let i = 0; i < input.values.length; i++) {
    const weight = input.weights[i]!;
    if (weight === 0) continue;
    const [value, old, target] = [input.values[i]!, input.oldValues[i]!, input.returns[i]!];
    const free = (value - target) ** 2;
    const clipped = (Math.min(Math.max(value, old - clipRange), old + clipRange) - target) ** 2;
    const useClipped = clipRange > 0 && clipped > free;
    loss += 0.5 * weight * (useClipped ? clipped : free);
    clipFraction += useClipped ? weight : 0;
  }
  return { loss, clipFraction };
}

/**
 * π_prox/π_behav per token, the importance weight outside the minimum of the decoupled objective
 * [AReaL eq. 5]. Equal log-probs give exactly 1. `cap` bounds the weight; 0 = unbounded.
 */
export function behaviourWeights(
  proxLogProbs: Numbers,
  behaviourLogProbs: Numbers,
  cap = 0,
): Float64Array {
  return Float64Array.from({ length: proxLogProbs.length }, (_, i) => {
    const weight = ratioOf(proxLogProbs[i]! - behaviourLogProbs[i]!);
    return cap > 0 ? Math.min(weight, cap) : weight;
  });
}

/**
 * 1 − Var(R − V)/Var(R): 1 = the critic explains the returns, ≤ 0 = worse than a constant; undefined
 * for returns that do not vary.
 */
export function explainedVariance(values: Numbers, returns: Numbers): number | undefined {
  const variance = (of: (i: number) => number) => {
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < returns.length; i++) sum += of(i);
    const mean = sum / returns.length;
    for (let i = 0; i < returns.length; i++) squares += (of(i) - mean) ** 2;
    return squares / returns.length;
  };
  const total = variance((i) => returns[i]!);
  return total === 0 ? undefined : 1 - variance((i) => returns[i]! - values[i]!) / total;
}
