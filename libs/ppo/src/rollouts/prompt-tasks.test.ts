import { describe, expect, it } from "vitest";
import { createLedger } from "./ledger.js";
import { createTaskSource, evaluationTasks } from "./prompt-tasks.js";

const prompts = Array.from({ length: 5 }, (_, i) => ({
  id: `p${i}`,
  messages: [],
  promptIds: Int32Array.of(i),
}));
const OLDEST = { minStep: 0, minWeightVersion: 1 };
const OPTIONS = {
  seed: 7,
  promptsPerUpdate: 2,
  samplesPerPrompt: 3,
  temperature: 1,
  maxNewTokens: 4,
};

describe("createTaskSource()", () => {
  it("makes the tasks of an update from its number alone", () => {
    const [a, b] = [createTaskSource(prompts, OPTIONS), createTaskSource(prompts, OPTIONS)];
    for (const update of [0, 1, 2]) a.tasks(update, OLDEST);
    expect(a.tasks(3, OLDEST)).toEqual(b.tasks(3, OLDEST));
  });

  it("repeats a prompt samplesPerPrompt times with different seeds", () => {
    const tasks = createTaskSource(prompts, OPTIONS).tasks(0, OLDEST);
    expect(tasks.map(({ promptId }) => promptId)).toEqual(
      [0, 0, 0, 3, 3, 3].map((i) => tasks[i]!.promptId),
    );
    expect(tasks[0]!.promptId).not.toBe(tasks[3]!.promptId);
    expect(new Set(tasks.map(({ sampling }) => sampling.seed)).size).toBe(6);
  });

  it("uses every prompt once per epoch, in a new order each time", () => {
    const source = createTaskSource(prompts, { ...OPTIONS, samplesPerPrompt: 1 });
    const drawn = Array.from({ length: 10 }, (_, update) => source.tasks(update, OLDEST))
      .flat()
      .map(({ promptId }) => promptId);
    const epochs = [0, 5, 10, 15].map((start) => drawn.slice(start, start + 5));
    for (const epoch of epochs) expect(new Set(epoch).size).toBe(5);
    expect(new Set(epochs.map((epoch) => epoch.join())).size).toBeGreaterThan(1);
  });

  it("gives ids that sort like the order of use", () => {
    const source = createTaskSource(prompts, OPTIONS);
    const ids = [0, 9, 10, 123].flatMap((update) =>
      source.tasks(update, OLDEST).map(({ taskId }) => taskId),
    );
    expect([...ids].sort()).toEqual(ids);
  });

  it("refuses to work without prompts", () => {
    expect(() => createTaskSource([], OPTIONS)).toThrow("there are no prompts");
  });
});

describe("evaluationTasks()", () => {
  it("asks the same with the same seeds at every evaluation", () => {
    const seeds = (update: number) =>
      evaluationTasks(prompts, OPTIONS, { update, minWeightVersion: update }).map(
        ({ promptId, sampling }) => [promptId, sampling.seed],
      );
    expect(seeds(0)).toEqual(seeds(10));
  });
});

describe("createLedger()", () => {
  it("remembers the last updates, through a checkpoint too", () => {
    const ledger = createLedger([], 2);
    for (const update of [1, 2, 3]) ledger.add([`a${update}`, `b${update}`]);
    const restored = createLedger(ledger.state(), 2);
    for (const each of [ledger, restored]) {
      expect(each.has("b3")).toBe(true);
      expect(each.has("a2")).toBe(true);
      expect(each.has("a1")).toBe(false);
    }
  });
});
