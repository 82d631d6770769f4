import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentReporter } from "../stage/reporter.js";
import type { StageFacts } from "../stage/stage.js";
import { openRun } from "./run.js";

let runDir: string;
let said: string[];
beforeEach(async () => {
  runDir = await mkdtemp(join(tmpdir(), "stagecraft-overwrite-"));
  said = [];
});
afterEach(() => rm(runDir, { recursive: true, force: true }));

const reporter = silentReporter({ warn: (text) => said.push(text) });
const open = (stage: StageFacts, more: object = {}) =>
  openRun({ runDir, stage, config: {}, resume: false, reporter, ...more });
const put = async (name: string) => {
  await mkdir(join(runDir, name, ".."), { recursive: true });
  await writeFile(join(runDir, name), "x");
};
/** What stands there, the lock and the new run's own files apart. */
const others = async () =>
  (await readdir(runDir)).filter(
    (name) => !["run.json", "metrics.jsonl", "run.lock"].includes(name),
  );

/** A file of every stage that there was before each run noted what its stage leaves. */
const OF_EVERY_STAGE = [
  ...["checkpoints/LATEST", "best/config.json", "model/config.json", "tokenizer/tokenizer.json"],
  ...["corpus/train.bin", "ptx-corpus/train.bin", "answers.jsonl", "rankings.jsonl"],
  ...["rankings-heldout.jsonl", "requests.jsonl", "reward-report.json", "members/1/run.json"],
  ...["rollouts/0001.jsonl", "evaluation.json", "world/world.json", "rounds/0001/prompts.jsonl"],
  ...["loop.jsonl", "loop-state.json"],
];

describe("--overwrite", () => {
  it("leaves nothing of an old run of any stage, and a person's file with a word about it", async () => {
    for (const name of [...OF_EVERY_STAGE, "notes.txt"]) await put(name);
    const record = { formatVersion: 1, stage: "gone", status: "finished", config: {}, attempts: 1 };
    await writeFile(join(runDir, "run.json"), JSON.stringify(record));
    await (await open({ name: "toy" }, { overwrite: true })).close();
    expect(await others()).toEqual(["notes.txt"]);
    expect(said).toEqual([expect.stringContaining("no run made it: notes.txt")]);
  });

  it("leaves nothing of what the replaced run's stage declared, whatever the new one declares", async () => {
    const leaves = { "figures.csv": "work", parts: "scratch" } as const;
    await (await open({ name: "old", leaves })).close();
    for (const name of ["figures.csv", "parts/1", "model/config.json", "answers.jsonl"]) {
      await put(name);
    }
    await (await open({ name: "new" }, { overwrite: true })).close();
    expect(await others()).toEqual(["answers.jsonl"]);
  });

  it("deletes nothing when the new run would write over a person's file", async () => {
    await (await open({ name: "old" })).close();
    for (const name of ["model/config.json", "answers.jsonl"]) await put(name);
    const replacing = open(
      { name: "new", leaves: { "answers.jsonl": "work" } },
      { overwrite: true },
    );
    await expect(replacing).rejects.toThrow("holds answers.jsonl, which no run there made");
    expect(await others()).toEqual(["answers.jsonl", "model"]);
  });

  it("replaces a run whose record is damaged", async () => {
    for (const name of OF_EVERY_STAGE) await put(name);
    await writeFile(join(runDir, "run.json"), "{");
    await (await open({ name: "toy" }, { overwrite: true })).close();
    expect(await others()).toEqual([]);
  });

  it("finishes a deletion that was interrupted: the record goes last", async () => {
    await (await open({ name: "toy", leaves: { parts: "scratch" } })).close();
    await put("parts/1");
    await rm(join(runDir, "metrics.jsonl"));
    expect(existsSync(join(runDir, "run.json"))).toBe(true);
    await (await open({ name: "toy" }, { overwrite: true })).close();
    expect(await others()).toEqual([]);
  });
});

describe("a directory without a run", () => {
  it("is refused when a run would write over what stands there, which stays", async () => {
    await put("answers.jsonl");
    const leaves = { "answers.jsonl": "work" } as const;
    for (const how of [{}, { overwrite: true }, { resume: true }]) {
      await expect(open({ name: "collect", leaves }, how)).rejects.toThrow(
        "holds answers.jsonl, which no run there made and a new one would write over; move it away",
      );
    }
    expect(await readFile(join(runDir, "answers.jsonl"), "utf8")).toBe("x");
    await (await open({ name: "sft" })).close();
  });
});
