import { createRandom } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import { topCandidates, type CandidateLimits } from "./top-candidates.js";

/** The definition, by a full sort. */
function bySorting(weights: Float64Array, { topK, topP, minP }: CandidateLimits): number[] {
  const order = Array.from(weights, (_, id) => id).sort(
    (a, b) => weights[b]! - weights[a]! || a - b,
  );
  const best = topK === 0 ? order : order.slice(0, topK);
  const massOf = (ids: number[]) => ids.reduce((mass, id) => mass + weights[id]!, 0);
  const target = topP * massOf(best);
  const nucleus = best.filter((_, i) => i === 0 || topP === 1 || massOf(best.slice(0, i)) < target);
  return nucleus.filter((id) => weights[id]! >= minP).sort((a, b) => a - b);
}

describe("topCandidates()", () => {
  it("equals the definition on distributions of every shape", () => {
    const random = createRandom(1);
    for (let round = 0; round < 400; round++) {
      const size = 1 + random.nextInt(120);
      const spread = random.pick([0, 0.01, 1, 5, 40, 300]);
      const ties = random.nextInt(3) === 0;
      const logits = Float64Array.from({ length: size }, () => {
        const logit = random.nextNormal() * spread;
        return ties ? Math.round(logit) : logit;
      });
      const max = Math.max(...logits);
      const weights = logits.map((logit) => Math.exp(logit - max));
      const limits = {
        topK: random.pick([0, 1, 2, 7, 50, 500]),
        topP: random.pick([1, 0.999, 0.9, 0.5, 0.1, 1e-6]),
        minP: random.pick([0, 0, 0.01, 0.5, 1]),
      };
      const label = `round ${round}: ${JSON.stringify({ size, spread, ties, ...limits })}`;
      expect(topCandidates(weights, limits), label).toEqual(bySorting(weights, limits));
    }
  });
});
