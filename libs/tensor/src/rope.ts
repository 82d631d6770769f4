import type { Rope } from "./types.js";

/** The angles of RoFormer and Llama: θ^(−i/n) for pair i of n. */
export function plainRope(theta: number, numPairs: number): Rope {
  return {
    frequencies: Float64Array.from({ length: numPairs }, (_, i) => theta ** (-i / numPairs)),
  };
}
