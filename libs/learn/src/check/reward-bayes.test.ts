import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { initEngine } from "@stagecraft/tensor";
import { runRewardBayesCheck } from "./reward-bayes.js";

beforeAll(() => initEngine({ numThreads: 1 }));

it("a reward model comes near the ceiling that the labelers' noise sets", async () => {
  const runDir = await mkdtemp(join(tmpdir(), "stagecraft-bayes-"));
  try {
    const result = await runRewardBayesCheck({ runDir, prompts: 600, k: 4 });
    // 250 prompts of 6 pairs, about 3 of them independent: one standard error is 1.5 points.
    expect(result.bayesAccuracy).toBeGreaterThan(0.7);
    expect(result.accuracy).toBeGreaterThan(result.bayesAccuracy - 0.045);
    expect(result.crossEntropy).toBeLessThan(result.bayesCrossEntropy + 0.06);
    expect(result.calibrationError).toBeLessThan(0.08);
  } finally {
    await rm(runDir, { recursive: true, force: true });
  }
});
