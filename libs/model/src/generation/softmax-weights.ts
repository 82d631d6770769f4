import { StagecraftError } from "@stagecraft/core";

/** An unnormalised softmax: `values` are exp((logit − max) / temperature), at most 1. */
export interface SoftmaxWeights {
  readonly values: Float64Array;
  readonly sum: number;
  readonly max: number;
}

/**
 * Softmax weights of logits [V] in double precision. `values` are those of `scratch`, made to
 * fit, and overwritten by the next call with it.
 * Throws `internal` when the logits are not finite: the weights of the model have diverged.
 */
export function softmaxWeights(
  logits: Float32Array,
  temperature: number,
  scratch: { values: Float64Array },
): SoftmaxWeights {
  if (scratch.values.length !== logits.length) scratch.values = new Float64Array(logits.length);
  const { values } = scratch;
  const max = logits[argmax(logits)]!;
  let sum = 0;
  for (let id = 0; id < logits.length; id++) {
    const weight = Math.exp((logits[id]! - max) / temperature);
    values[id] = weight;
    sum += weight;
  }
  if (Number.isFinite(max) && Number.isFinite(sum)) return { values, sum, max };
  throw logitsNotFinite();
}

/** What there is to say of logits without a softmax. */
export function logitsNotFinite(): StagecraftError {
  return new StagecraftError(
    "internal",
    "the logits are not finite: the model's weights have diverged or are damaged",
  );
}

/** The first index of the largest value. */
export function argmax(values: Float32Array): number {
  let best = 0;
  let max = values[0]!;
  for (let i = 1; i < values.length; i++) {
    const value = values[i]!;
    if (value > max) {
      max = value;
      best = i;
    }
  }
  return best;
}
