import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createModel, presetConfig, type Model } from "@stagecraft/model";
import { initEngine } from "@stagecraft/tensor";
import { responseLogProbs } from "../batch/forward.js";
import { buildExperience, evaluationFigures, type ExperienceOptions } from "./build-experience.js";
import type { RolloutSample } from "../rollouts/rollout-source.js";
import { flatten, oneAnswer } from "../rollouts/segments.js";

const EOS = 9;
let policy: Model;
let reference: Model;
beforeAll(async () => {
  await initEngine({ numThreads: 1 });
  const config = presetConfig("llama", {
    vocabSize: 12,
    hiddenSize: 16,
    numLayers: 1,
    numHeads: 2,
    maxPositions: 32,
  });
  policy = createModel(config, { seed: 1 });
  reference = createModel(config, { seed: 2 });
});
afterAll(() => [policy, reference].forEach((model) => model.dispose()));

const WEIGHTS = [3, 4, 5].map((step) => ({ version: step + 1, sha256: `hash ${step}` }));

function sample(responseIds: number[], weightVersions: number[]): RolloutSample {
  return {
    rolloutId: `r${responseIds.join("")}`,
    taskId: "u000005-000000",
    segments: oneAnswer({
      promptIds: Int32Array.of(1, 2),
      responseIds: Int32Array.from(responseIds),
      logProbs: Float32Array.from(responseIds, (_, t) => -3 - t),
      weightVersions: Int32Array.from(weightVersions),
    }),
    finishReason: "length",
    score: 2,
    rewardModelVersion: "1",
    weights: WEIGHTS,
  };
}

const OPTIONS: ExperienceOptions = {
  padId: 0,
  maxTokens: 1000,
  temperature: 1,
  endIds: [EOS],
  scores: { scale: 1, uncertaintyPenalty: 0, weights: new Map() },
  missingEos: { kind: "score", value: -1 },
  update: 5,
  published: [3, 4, 5].map((step) => ({ step, version: step + 1, sha256: `hash ${step}` })),
  samplesPerPrompt: 1,
  recomputeOldLogProbs: "stale",
};
const build = (samples: RolloutSample[], more: Partial<ExperienceOptions> = {}) =>
  buildExperience(samples, { policy, reference }, { ...OPTIONS, ...more });

describe("evaluationFigures()", () => {
  it("has no figure over no answers, where a score of 0 could be the best so far", () => {
    expect(evaluationFigures([], { policy, reference }, OPTIONS)).toEqual({});
    const { evalScore } = evaluationFigures(
      [sample([7, 8], [6, 6])],
      { policy, reference },
      OPTIONS,
    );
    expect(evalScore).toBe(2);
  });
});

describe("buildExperience()", () => {
  const mixed = sample([3, 4, 5, 6], [4, 5, 6, 6]);
  const fresh = sample([7, 8], [6, 6]);

  it("recomputes π_prox for tokens of older weights and keeps the others to the bit", () => {
    const [first, second] = build([mixed, fresh]);
    const prox = responseLogProbs(policy, [flatten(mixed.segments)], OPTIONS)[0]!;
    expect([...first!.staleness]).toEqual([2, 1, 0, 0]);
    expect([...first!.oldLogProbs.subarray(0, 2)]).toEqual([...prox.subarray(0, 2)]);
    expect([...first!.oldLogProbs.subarray(2)]).toEqual([-5, -6]);
    expect([...first!.behaviourLogProbs]).toEqual([-3, -4, -5, -6]);
    expect([...second!.oldLogProbs]).toEqual([...fresh.segments[1]!.logProbs]);
  });

  it("recomputes none or all when asked", () => {
    const none = build([mixed, fresh], { recomputeOldLogProbs: "none" });
    expect(none.map(({ oldLogProbs }) => [...oldLogProbs])).toEqual([
      [-3, -4, -5, -6],
      [-3, -4],
    ]);
    const both = [mixed, fresh];
    const all = build(both, { recomputeOldLogProbs: "all" });
    const prox = responseLogProbs(
      policy,
      both.map(({ segments }) => flatten(segments)),
      OPTIONS,
    );
    all.forEach(({ oldLogProbs }, i) =>
      oldLogProbs.forEach((value, t) => expect(value).toBeCloseTo(prox[i]![t]!, 5)),
    );
  });

  for (const [where, ids] of [
    ["first", [EOS, 3, 4]],
    ["in the middle", [3, EOS, 4]],
    ["last", [3, 4, EOS]],
  ] as const) {
    it(`cuts after an EOS that is ${where}, and keeps the score`, () => {
      const [item] = build([sample([...ids], [6, 6, 6])]);
      const length = ids.indexOf(EOS) + 1;
      expect(item).toMatchObject({ hasEos: true, score: 2 });
      const lengths = [item!.trained, item!.oldLogProbs, item!.refLogProbs, item!.staleness];
      expect(lengths.map((array) => array.length)).toEqual([length, length, length, length]);
    });
  }

  it("gives an answer without EOS the missing-EOS score", () => {
    const [item] = build([sample([3, 4], [6, 6])]);
    expect(item).toMatchObject({ hasEos: false, score: -1 });
  });
});
