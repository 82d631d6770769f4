/** |actual − expected| ≤ atol + rtol · |expected|; the bound of NumPy's allclose. */
export interface Tolerance {
  /** Default 1e-5. */
  rtol?: number;
  /** Default 1e-6. */
  atol?: number;
}

/** One number within tolerance; NaN equals NaN, infinities equal themselves. */
export function closeTo(actual: number, expected: number, tolerance: Tolerance = {}): boolean {
  if (Object.is(actual, expected) || actual === expected) return true;
  if (!Number.isFinite(expected)) return false; // rtol · Infinity would allow anything
  const { rtol = 1e-5, atol = 1e-6 } = tolerance;
  return Math.abs(actual - expected) <= atol + rtol * Math.abs(expected);
}

/** Undefined when all are close, else a message with the count and the worst element. */
export function describeDifference(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance = {},
): string | undefined {
  if (actual.length !== expected.length) {
    return `lengths differ: ${actual.length} and ${expected.length}`;
  }
  let numBad = 0;
  let worst = { index: -1, error: -1 };
  for (let i = 0; i < expected.length; i++) {
    if (closeTo(actual[i]!, expected[i]!, tolerance)) continue;
    numBad++;
    const error = Math.abs(actual[i]! - expected[i]!);
    if (Number.isNaN(error) || error > worst.error) worst = { index: i, error };
  }
  if (numBad === 0) return undefined;
  const { index, error } = worst;
  return (
    `${numBad} of ${expected.length} differ; worst at [${index}]: ` +
    `${actual[index]} instead of ${expected[index]} (off by ${error})`
  );
}

/** Throws with the worst element when the arrays are not close. */
export function expectAllclose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance = {},
): void {
  const difference = describeDifference(actual, expected, tolerance);
  if (difference !== undefined) throw new Error(difference);
}
