import { engineInfo } from "@stagecraft/tensor";
import { expect } from "vitest";

/**
 * What an engine that is not batch-invariant may differ by in a log-prob of `tinyModel`, when the same token is computed
 * in a batch of another size or by another program: 13 matrix products one after another (six in each of two
 * layers, and the head), sums of at most 32 terms of size about 1. Two orders of summing n terms differ by
 * about 2·√n·2⁻²⁴ (Higham & Mary 2019, "A new approach to probabilistic rounding error analysis", λ = 1).
 */
const ROUNDING = 13 * 2 * Math.sqrt(32) * 2 ** -24; // 8.8e-6

/**
 * For tests that compare log-probs of batches of different size: exact as they are, except on engines that say that
 * they round by the shape of a batch (tensorflow, xla). There `toEqual` takes fractions that differ by
 * rounding as equal; whole numbers, token ids among them, stay exact. Call it after initEngine.
 */
export function allowBatchRounding(): void {
  if (engineInfo().batchInvariant) return;
  const isFraction = (x: unknown): x is number => typeof x === "number" && !Number.isInteger(x);
  expect.addEqualityTesters([
    (a, b) => (isFraction(a) && isFraction(b) ? Math.abs(a - b) < ROUNDING : undefined),
  ]);
}
