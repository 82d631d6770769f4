import { describe, expect, it } from "vitest";
import type { PromptTask, RolloutSample } from "./rollout-source.js";
import { rolloutProblem } from "./rollout-rules.js";
import { cutAfterLastTurn, flatten, givenSegment, oneAnswer } from "./segments.js";

const EOS = 2;
const read = (...ids: number[]) => givenSegment(Int32Array.from(ids));
const turn = (...ids: number[]) => ({
  ids: Int32Array.from(ids),
  trained: true,
  logProbs: Float32Array.from(ids, (id) => -id),
  weightVersions: new Int32Array(ids.length).fill(1),
});

describe("flatten()", () => {
  it("lays segments end to end and keeps figures of trained tokens only", () => {
    const flat = flatten([read(1, 5), turn(6, 7), read(8), turn(9)]);
    expect([...flat.ids]).toEqual([1, 5, 6, 7, 8, 9]);
    expect([...flat.trained]).toEqual([2, 3, 5]);
    expect([...flat.logProbs]).toEqual([-6, -7, -9]);
    expect([...flat.weightVersions]).toEqual([1, 1, 1]);
  });
});

describe("cutAfterLastTurn()", () => {
  it("cuts the last turn after its end token, and what is only read after it", () => {
    const cut = cutAfterLastTurn([read(1), turn(6, EOS), read(8), turn(9, EOS, 5), read(3)], [EOS]);
    expect([...cut.ids]).toEqual([1, 6, EOS, 8, 9, EOS]);
    expect([...cut.trained]).toEqual([1, 2, 4, 5]);
    expect([...cut.logProbs]).toEqual([-6, -EOS, -9, -EOS]);
    expect(cut.hasEos).toBe(true);
  });

  it("does not take the end of an earlier turn for that of the rollout", () => {
    expect(cutAfterLastTurn([read(1), turn(6, EOS), read(8), turn(9)], [EOS]).hasEos).toBe(false);
  });
});

describe("rolloutProblem() of several turns", () => {
  const task: PromptTask = {
    taskId: "u000000-000000",
    promptId: "p",
    messages: [],
    promptIds: Int32Array.of(1),
    sampling: { temperature: 1, maxNewTokens: 3, seed: 1 },
    minStep: 0,
    minWeightVersion: 1,
  };
  const scores = { scale: 1, uncertaintyPenalty: 0, weights: new Map<string, number>() };
  const problemOf = (segments: RolloutSample["segments"]) => {
    const sample = { rolloutId: "r", taskId: task.taskId, segments, weights: [], score: 1 };
    const full = { ...sample, finishReason: "eos", rewardModelVersion: "1" };
    const rules = { vocabSize: 10, maxScore: 10, scores, endIds: [EOS] };
    return rolloutProblem(full, task, rules);
  };

  it("takes turns with what was read between them", () => {
    expect(problemOf([read(1), turn(6, EOS), read(8, 8, 8, 8), turn(7, EOS)])).toBeUndefined();
    const [promptIds, responseIds] = [task.promptIds, Int32Array.of(6, EOS)];
    const figures = { logProbs: Float32Array.of(-1, -1), weightVersions: Int32Array.of(1, 1) };
    expect(problemOf(oneAnswer({ promptIds, responseIds, ...figures }))).toBeUndefined();
  });

  for (const [what, segments, problem] of [
    ["no prompt", [turn(6)], "prompt is not the task's"],
    ["another prompt", [read(3), turn(6)], "prompt is not the task's"],
    ["nothing written", [read(1), read(3)], "no token"],
    ["a turn without a token", [read(1), turn(), read(3), turn(6)], "no token"],
    ["a turn that is too long", [read(1), turn(3, 3, 3, 3), read(3), turn(6)], "allows 3"],
    ["a turn that goes on", [read(1), turn(6, EOS, 6), read(3), turn(6)], "after its end token"],
    ["an id outside, read only", [read(1), turn(6), read(99), turn(6)], "outside the vocabulary"],
  ] as const) {
    it(`refuses ${what}`, () => expect(problemOf(segments)).toContain(problem));
  }
});
