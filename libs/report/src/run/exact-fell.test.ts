import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Comparison } from "../page/report-data.js";
import { alarmsOf } from "./alarms.js";
import { exactFellNotes } from "./exact-fell.js";
import { readRun } from "./read-run.js";

const comparison = (
  exact: number[],
  gold: (number | undefined)[],
  more: Partial<Comparison> = {},
): Comparison => ({
  models: ["base", "SFT", "PPO"],
  notes: [],
  kinds: [{ kind: "summary", count: 10, exact, gold }],
  winRates: [],
  ...more,
});

describe("exact match falls while the score rises", () => {
  it("names the kind, both figures and the reason", () => {
    const [note, ...more] = exactFellNotes(comparison([0, 0.5, 0.25], [0.1, 0.6, 0.7]));
    expect(note).toContain("from SFT to PPO");
    expect(note).toContain("summary 50 % → 25 % (gold 0.60 → 0.70)");
    expect(note).toContain("reward model");
    expect(more).toEqual([]);
  });

  it("is said of any score, as outside the demo there is no gold", () => {
    const scorer = { scorer: "reward" };
    const [note] = exactFellNotes(comparison([0, 0.5, 0.25], [0.1, 0.6, 0.7], scorer));
    expect(note).toContain("while the reward score rose");
  });

  it.each([
    ["exact match rose", [0, 0.5, 0.75], [0.1, 0.6, 0.7]],
    ["the score fell too", [0, 0.5, 0.25], [0.1, 0.6, 0.5]],
    ["the score is not known", [0, 0.5, 0.25], [0.1, 0.6, undefined]],
  ])("is not said when %s", (_, exact, gold) => {
    expect(exactFellNotes(comparison(exact, gold))).toEqual([]);
  });

  it("is an alarm of the run that measured it, beside those that were recorded", async () => {
    const dir = await mkdtemp(join(tmpdir(), "stagecraft-alarms-"));
    const model = (name: string, rate: number, reward: number) => ({
      ...{ model: name, exact: { byKind: {}, overall: { rate } } },
      scores: { reward: { overall: reward, byKind: {} } },
    });
    const models = [model("sft", 0.5, 1), model("ppo", 0.4, 2)];
    await writeFile(
      join(dir, "run.json"),
      JSON.stringify({ stage: "evaluate", state: "succeeded" }),
    );
    await writeFile(join(dir, "evaluation.json"), JSON.stringify({ models, winRates: [] }));
    const alarm = { kind: "alarm", step: 3, message: "m", meaning: "x", advice: "y" };
    await writeFile(join(dir, "metrics.jsonl"), `${JSON.stringify(alarm)}\n`);
    const alarms = await alarmsOf(await readRun(dir, "judge"));
    expect(alarms).toEqual([
      { run: "judge", step: 3, message: "m", meaning: "x", advice: "y" },
      expect.objectContaining({ message: expect.stringContaining("all 50 % → 40 %") }),
    ]);
    await rm(dir, { recursive: true });
  });
});
