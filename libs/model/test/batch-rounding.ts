import { engineInfo } from "@stagecraft/tensor";
import { expect } from "vitest";

/** An ulp or two of a logit, carried through a few layers. */
const ROUNDING = 1e-5;

/**
 * For tests that compare log-probs of batches of different size: exact as they are, except on TensorFlow,
 * whose matrix product rounds by the number of rows. There `toEqual` takes fractions that differ by
 * rounding as equal; whole numbers, token ids among them, stay exact. Call it after initEngine.
 */
export function allowBatchRounding(): void {
  if (engineInfo().batchInvariant) return;
  const isFraction = (x: unknown): x is number => typeof x === "number" && !Number.isInteger(x);
  expect.addEqualityTesters([
    (a, b) => (isFraction(a) && isFraction(b) ? Math.abs(a - b) < ROUNDING : undefined),
  ]);
}
