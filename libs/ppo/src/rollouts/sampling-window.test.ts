import { describe, expect, it } from "vitest";
import type { PromptTask, RolloutSample } from "./rollout-source.js";
import { createTaskSource, updateOfTask } from "./prompt-tasks.js";
import { openSamplingWindow } from "./sampling-window.js";

const prompts = ["a", "b", "c"].map((id) => ({ id, messages: [], promptIds: Int32Array.of(1) }));
const SIZES = { promptsPerUpdate: 2, samplesPerPrompt: 3, temperature: 1, maxNewTokens: 4 };

/** A window over a source that notes what it is asked and answers when told. */
function open(maxStaleness: number, { first = 0, updates = 6 } = {}) {
  const asked: { update: number; floors: number[]; signal: AbortSignal }[] = [];
  const answers: ((samples: RolloutSample[]) => void)[] = [];
  const refuse: ((error: Error) => void)[] = [];
  const collect = (tasks: PromptTask[], signal: AbortSignal) => {
    const floors = [...new Set(tasks.map(({ minStep }) => minStep))];
    asked.push({ update: updateOfTask(tasks[0]!.taskId), floors, signal });
    return new Promise<RolloutSample[]>((resolve, reject) => {
      answers.push(resolve);
      refuse.push(reject);
    });
  };
  const window = openSamplingWindow(
    {
      rollouts: { collect },
      versionOfStep: (step) => step + 1,
      source: createTaskSource(prompts, { seed: 1, ...SIZES }),
      maxStaleness,
      batchSize: 6,
      updates,
      problemOf: () => undefined,
      signal: new AbortController().signal,
    },
    first,
  );
  return { window, asked, answers, refuse };
}

describe("openSamplingWindow()", () => {
  it("asks for one batch per update when synchronous", () => {
    const { window, asked } = open(0);
    for (const update of [0, 0, 1]) window.fill(update);
    expect(asked.map(({ update, floors }) => [update, floors])).toEqual([
      [0, [0]],
      [1, [1]],
    ]);
  });

  it("asks for η batches ahead, whose tokens may be η updates old, and never past the end", () => {
    const { window, asked } = open(2);
    for (const update of [0, 1, 2, 3, 4, 5]) window.fill(update);
    expect(asked.map(({ update }) => update)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(asked.map(({ floors }) => floors)).toEqual([[0], [0], [0], [1], [2], [3]]);
  });

  it("starts where a checkpoint left off and asks anew for what was in flight", () => {
    const { window, asked } = open(2, { first: 3 });
    window.fill(3);
    expect(asked.map(({ update }) => update)).toEqual([3, 4, 5]);
  });

  it("gives an update the answers to its own tasks, however late they come", async () => {
    const { window, answers } = open(1);
    window.fill(0);
    answers[1]!([]); // the later batch is quicker
    let isDone = false;
    const next = window.next(0).then((batch) => {
      isDone = true;
      return batch;
    });
    await Promise.resolve();
    expect(isDone).toBe(false);
    answers[0]!([]);
    expect((await next).tasks.map(({ taskId }) => updateOfTask(taskId))).toEqual(Array(6).fill(0));
  });

  it("tells a failure to the update that it belongs to", async () => {
    const { window, answers, refuse } = open(1);
    window.fill(0);
    refuse[1]!(new Error("no worker"));
    answers[0]!([]);
    await window.next(0);
    await expect(window.next(1)).rejects.toThrow("no worker");
    await expect(window.next(2)).rejects.toThrow("not asked for");
  });

  it("stops what is in flight when closed", () => {
    const { window, asked } = open(1);
    window.fill(0);
    window.close();
    expect(asked.every(({ signal }) => signal.aborted)).toBe(true);
  });
});
