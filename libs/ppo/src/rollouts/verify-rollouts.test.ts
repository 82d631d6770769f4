import { describe, expect, it } from "vitest";
import type { PromptTask, RolloutSample } from "./rollout-source.js";
import { oneAnswer } from "./segments.js";
import { verifyRollouts } from "./verify-rollouts.js";
import { versionOfStep } from "./weight-rules.js";

const task: PromptTask = {
  taskId: "u000005-000000",
  promptId: "p",
  messages: [],
  promptIds: Int32Array.of(1),
  sampling: { temperature: 1, maxNewTokens: 3, seed: 1 },
  minStep: 3,
  minWeightVersion: 13,
};
/** Weights of step 5 went by two numbers: published again after a restart. */
const PUBLISHED = [3, 4, 5].map((step) => ({ step, version: step + 10, sha256: `hash ${step}` }));
const WEIGHTS = [
  { version: 8, sha256: "hash 5" },
  ...[2, 3, 4, 5, 6].map((step) => ({ version: step + 10, sha256: `hash ${step}` })),
];
const RULES = {
  vocabSize: 9,
  maxScore: 10,
  scores: { scale: 1, uncertaintyPenalty: 0, weights: new Map<string, number>() },
  endIds: [2],
};

function verify(versions: number[], minStep: number, weights = WEIGHTS) {
  const sample: RolloutSample = {
    rolloutId: "r",
    taskId: task.taskId,
    segments: oneAnswer({
      promptIds: task.promptIds,
      responseIds: new Int32Array(versions.length),
      logProbs: new Float32Array(versions.length).fill(-1),
      weightVersions: Int32Array.from(versions),
    }),
    weights,
    finishReason: "length",
    score: 1,
    rewardModelVersion: "1",
  };
  const expected = { published: PUBLISHED, ...RULES, isConsumed: () => false };
  return verifyRollouts([{ ...task, minStep }], [sample], expected);
}

describe("verifyRollouts()", () => {
  it("takes tokens of several updates within the staleness, and no others", () => {
    expect(verify([13, 14, 15], 3)).toHaveLength(1);
    expect(verify([15, 15], 5)).toHaveLength(1);
    expect(() => verify([12, 14, 15], 3)).toThrow("weights 12 (sha256 hash 2), which this run");
    expect(() => verify([15, 16], 3)).toThrow("weights 16 (sha256 hash 6), which this run");
    expect(() => verify([14, 15], 5)).toThrow(
      "weights 14 (sha256 hash 4), those of update 4; the task wants those of update 5 or newer",
    );
  });

  it("takes equal weights under another number, and not other weights under a known one", () => {
    expect(verify([8, 15], 5)).toHaveLength(1);
    const lie = [{ version: 15, sha256: "hash 9" }];
    expect(() => verify([15], 3, lie)).toThrow("weights 15 (sha256 hash 9), which this run");
    expect(() => verify([15], 3, [])).toThrow("weights 15 (sha256 none), which this run");
  });
});

describe("versionOfStep()", () => {
  it("never asks for a number that samplers cannot reach", () => {
    expect([3, 4, 5].map((step) => versionOfStep(PUBLISHED, step))).toEqual([13, 14, 15]);
    expect(versionOfStep(PUBLISHED, 1)).toBe(15);
    const anew = [...PUBLISHED.slice(0, 2), { step: 5, version: 1, sha256: "hash 5" }];
    expect(versionOfStep(anew, 3)).toBe(1); // the store was lost and counts from 1 again
  });
});
