import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findRollouts } from "./find-rollouts.js";

const rollout = (update: number, rolloutId: string) => ({
  ...{ update, rolloutId, prompt: "p", answer: "a", score: 1, hasEos: true },
  tokens: [
    ...[
      { text: "a", id: 1, logProb: -1, refLogProb: -1, kl: 0, value: 0, advantage: 0, reward: 1 },
    ],
  ],
});

describe("findRollouts()", () => {
  let run: string;
  beforeAll(async () => {
    run = await mkdtemp(join(tmpdir(), "stagecraft-inspect-"));
    await mkdir(join(run, "rollouts"));
    for (const update of [0, 1, 10]) {
      const name = `update-${String(update).padStart(6, "0")}.jsonl`;
      const records = [rollout(update, `u${update}-a`), rollout(update, `u${update}-b`)];
      const text = records.map((record) => `${JSON.stringify(record)}\n`).join("");
      await writeFile(join(run, "rollouts", name), text);
    }
  });
  afterAll(() => rm(run, { recursive: true }));

  it("takes the last update of a run directory, or the one that is asked for", async () => {
    expect((await findRollouts(run, { runDir: "" })).rollouts[0]!.update).toBe(10);
    expect((await findRollouts(run, { runDir: "", update: 0 })).rollouts[0]!.update).toBe(0);
    await expect(findRollouts(run, { runDir: "", update: 5 })).rejects.toThrow("it has 0 to 10");
  });

  it("takes a file, and finds an id in a run", async () => {
    const file = join(run, "rollouts", "update-000001.jsonl");
    expect((await findRollouts(file, { runDir: "" })).rollouts).toHaveLength(2);
    const found = await findRollouts("u1-b", { runDir: run });
    expect(found.rollouts[found.wanted!]!.rolloutId).toBe("u1-b");
    await expect(findRollouts("u9", { runDir: run })).rejects.toThrow("no rollout of that id");
  });

  it("says what is wrong with a file and that a run wrote none", async () => {
    const bad = join(run, "bad.jsonl");
    await writeFile(bad, `${JSON.stringify(rollout(1, "x"))}\n{"update": 1}\n`);
    await expect(findRollouts(bad, { runDir: "" })).rejects.toThrow("bad.jsonl:2 is no rollout");
    await expect(findRollouts("u1", { runDir: join(run, "none") })).rejects.toThrow(
      "inspectRollouts is above 0",
    );
  });
});
