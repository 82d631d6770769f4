/** Numbers addressed by index; `number[]`, `Float32Array` and `Float64Array` all fit. */
export type Numbers = ArrayLike<number>;

/** How token losses become one number: every token counts the same, or every sequence does. */
export type Reduction = "token-mean" | "sequence-mean";

const WHITEN_EPS = 1e-8;

/** Σ m·x / Σ m in float64; NaN over nothing, for which 0 would pass. Without a mask, the plain mean. */
export function maskedMean(values: Numbers, mask?: Numbers): number {
  let sum = 0;
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    const weight = mask ? mask[i]! : 1;
    if (weight === 0) continue; // so that NaN under the mask cannot leak in
    sum += weight * values[i]!;
    count += weight;
  }
  return count === 0 ? NaN : sum / count;
}

/** Biased variance (divides by n, not n − 1) over the selected entries. */
export function maskedVariance(values: Numbers, mask?: Numbers): number {
  const mean = maskedMean(values, mask);
  const squares = Float64Array.from({ length: values.length }, (_, i) => (values[i]! - mean) ** 2);
  return maskedMean(squares, mask);
}

export interface WhitenOptions {
  mask?: Numbers;
  /** true: the result has mean 0 (advantages); false: the mean is put back (rewards). */
  shiftMean?: boolean;
}

/**
 * (x − μ)·rsqrt(σ² + 1e-8) with the biased variance [Z, `whiten`]; masked entries become 0.
 * The unbiased variance (PyTorch's default) is wrong here: docs/algorithms/reference.md has values
 * that tell the two apart.
 */
export function whiten(values: Numbers, options: WhitenOptions = {}): Float64Array {
  const { mask, shiftMean = true } = options;
  const mean = maskedMean(values, mask);
  const scale = 1 / Math.sqrt(maskedVariance(values, mask) + WHITEN_EPS);
  return Float64Array.from({ length: values.length }, (_, i) => {
    if (mask && mask[i] === 0) return 0;
    return (values[i]! - mean) * scale + (shiftMean ? 0 : mean);
  });
}

/**
 * Weights that turn Σ wᵢ·lossᵢ into the chosen mean, for sequences of the given lengths laid end to
 * end. They sum to 1 (empty sequences get nothing), so a minibatch cut into micro-batches keeps its
 * denominator.
 */
export function meanWeights(lengths: readonly number[], reduction: Reduction): Float64Array {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const weights = new Float64Array(total);
  const numSequences = lengths.filter((length) => length > 0).length;
  let offset = 0;
  for (const length of lengths) {
    const weight = reduction === "token-mean" ? 1 / total : 1 / (numSequences * length);
    weights.fill(weight, offset, offset + length);
    offset += length;
  }
  return weights;
}
