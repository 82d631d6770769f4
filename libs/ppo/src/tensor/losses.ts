import { tf } from "@stagecraft/tensor";
import type { KlEstimator } from "../math/kl.js";
import { MAX_LOG_RATIO, type ClipOptions } from "../math/losses.js";

/** Everything the policy loss needs beside the differentiable log-probs; all [N], 0 where unused. */
export interface PolicyTargets {
  oldLogProbs: Float32Array;
  advantages: Float32Array;
  /** Weights of the mean, see `meanWeights`. */
  weights: Float32Array;
  /** π_prox/π_behav; left out = 1. */
  importance?: Float32Array;
  /** Needed when the KL is in the loss. */
  refLogProbs?: Float32Array;
}

export interface PolicyLossOptions extends ClipOptions {
  /** c_H: the entropy bonus; 0 = none. */
  entropyCoef: number;
  /** β of the KL inside the loss; 0 = the KL is in the reward. */
  klLossCoef: number;
  klEstimator: KlEstimator;
}

/**
 * The tensor twin of `policyLoss`, plus β·KL and −c_H·entropy when asked: a scalar to differentiate.
 * Rows of weight 0 have no gradient. Run inside a tidy.
 */
export function policyLossTensor(
  current: { logProbs: tf.Tensor1D; entropy: tf.Tensor1D },
  targets: PolicyTargets,
  options: PolicyLossOptions,
): tf.Scalar {
  const { clipLow, clipHigh, dualClip = 0 } = options;
  const advantages = tf.tensor1d(targets.advantages);
  const weights = tf.tensor1d(targets.weights);
  const logRatio = tf.sub(current.logProbs, tf.tensor1d(targets.oldLogProbs));
  const ratio = tf.exp(tf.clipByValue(logRatio, -MAX_LOG_RATIO, MAX_LOG_RATIO)); // [N]
  const free = tf.neg(tf.mul(ratio, advantages));
  const clipped = tf.clipByValue(ratio, 1 - clipLow, 1 + clipHigh);
  const bounded = tf.neg(tf.mul(clipped, advantages));
  let losses = tf.maximum(free, bounded);
  if (dualClip > 0) losses = tf.minimum(losses, dualClipLimit(targets.advantages, dualClip));
  if (targets.importance) losses = tf.mul(losses, tf.tensor1d(targets.importance));
  if (options.klLossCoef > 0) {
    losses = tf.add(losses, klPenalty(current.logProbs, targets, options));
  }
  if (options.entropyCoef > 0) {
    losses = tf.sub(losses, tf.mul(current.entropy, options.entropyCoef));
  }
  return tf.sum(tf.mul(losses, weights));
}

/**
 * The tensor twin of `valueLoss`: ½ Σ w·max((V − R)², (clip(V, V_old ± clipRange) − R)²), a scalar to
 * differentiate; clipRange 0 = no clipping. Run inside a tidy.
 */
export function valueLossTensor(
  values: tf.Tensor1D,
  targets: { oldValues: Float32Array; returns: Float32Array; weights: Float32Array },
  clipRange: number,
): tf.Scalar {
  const returns = tf.tensor1d(targets.returns);
  const old = tf.tensor1d(targets.oldValues);
  const free = tf.square(tf.sub(values, returns));
  const change = tf.clipByValue(tf.sub(values, old), -clipRange, clipRange);
  const bounded = () => tf.square(tf.sub(tf.add(old, change), returns));
  const losses = clipRange > 0 ? tf.maximum(free, bounded()) : free; // [N]
  return tf.mul(tf.sum<tf.Scalar>(tf.mul(losses, tf.tensor1d(targets.weights))), 0.5);
}

/** −dualClip·A where A < 0, out of reach (near the largest float32) elsewhere. */
function dualClipLimit(advantages: Float32Array, dualClip: number): tf.Tensor1D {
  return tf.tensor1d(advantages.map((a) => (a < 0 ? -a * dualClip : 3e38)));
}

function klPenalty(
  logProbs: tf.Tensor1D,
  targets: PolicyTargets,
  { klLossCoef, klEstimator }: PolicyLossOptions,
): tf.Tensor {
  const ref = targets.refLogProbs ?? new Float32Array(logProbs.size);
  const logRatio = tf.sub(logProbs, tf.tensor1d(ref));
  switch (klEstimator) {
    case "k1":
      return tf.mul(logRatio, klLossCoef);
    case "k2":
      return tf.mul(tf.square(logRatio), klLossCoef / 2);
    case "k3":
      return tf.mul(tf.add(tf.expm1(tf.neg(logRatio)), logRatio), klLossCoef);
  }
}
