import { expect } from "vitest";
import { tf } from "../src/index.js";
import { largestDifference, type Inputs, type Operation } from "../src/testing/compare.js";

/** fp32 sums in another order: some ten ulp of the largest element. */
export const TOLERANCE = 2e-5;

/** Result and every gradient of the running engine's operation are those of its definition; no tensor is left. */
export function expectClose(operation: Operation, inputs: Inputs): void {
  const before = tf.memory().numTensors;
  const { error, where } = largestDifference(operation, inputs);
  expect(error, where).toBeLessThan(TOLERANCE);
  expect(tf.memory().numTensors).toBe(before);
}
