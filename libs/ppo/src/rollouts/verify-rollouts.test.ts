import { describe, expect, it } from "vitest";
import type { PromptTask, RolloutSample } from "./planes.js";
import { verifyRollouts } from "./verify-rollouts.js";

const task: PromptTask = {
  taskId: "u000005-000000",
  promptId: "p",
  messages: [],
  promptIds: Int32Array.of(1),
  sampling: { temperature: 1, maxNewTokens: 3, seed: 1 },
  minWeightVersion: 3,
};
const HASHES = new Map([3, 4, 5].map((version) => [version, `hash ${version}`]));
const RULES = {
  vocabSize: 9,
  maxScore: 10,
  scores: { scale: 1, uncertaintyPenalty: 0, weights: new Map<string, number>() },
  endIds: [2],
};

function verify(versions: number[], maxStaleness: number, weightsHash?: string) {
  const sample: RolloutSample = {
    rolloutId: "r",
    taskId: task.taskId,
    promptIds: task.promptIds,
    responseIds: new Int32Array(versions.length),
    logProbs: new Float32Array(versions.length).fill(-1),
    weightVersions: Int32Array.from(versions),
    finishReason: "length",
    score: 1,
    rewardModelVersion: "1",
    weightsHash: weightsHash ?? `hash ${versions.at(-1)}`,
  };
  const expected = { version: 5, hashes: HASHES, maxStaleness, ...RULES };
  return verifyRollouts([task], [sample], { ...expected, isConsumed: () => false });
}

describe("verifyRollouts()", () => {
  it("takes tokens of several versions within the staleness, and no others", () => {
    expect(verify([3, 4, 5], 2)).toHaveLength(1);
    expect(verify([5, 5], 0)).toHaveLength(1);
    expect(() => verify([2, 4, 5], 2)).toThrow("weight version 2, expected 3 to 5");
    expect(() => verify([5, 6], 2)).toThrow("weight version 6");
    expect(() => verify([4, 5], 0)).toThrow("weight version 4, expected 5");
  });

  it("holds the hash of the last token's version against what was published", () => {
    expect(() => verify([3, 4], 2, "hash 5")).toThrow("sampled with weights hash 5…, version 4");
  });
});
