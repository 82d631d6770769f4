import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { makeBase, openWorkshop, runCli, succeed, writeRecords } from "./case-kit.js";

it("two models are measured on a benchmark's file, and a task that names no file is refused", async () => {
  await using workshop = await openWorkshop();
  const models = [
    `a=${await makeBase(workshop.path("a"))}`,
    `b=${await makeBase(workshop.path("b"), { seed: 2 })}`,
  ].flatMap((model) => ["--models", model]);
  const records = ["fish.", "stones."].map((answer) => ({
    ...{ question: "Foxes eat", choices: ["fish.", "stones."], answer },
  }));
  const file = await writeRecords(workshop, "foxes.jsonl", records);
  const run = workshop.path("run");
  const { out } = await succeed(["evaluate", ...models, "--tasks", file, "--run", run]);
  expect(out).toMatch(/a\.foxes\.acc +0\.5\n/); // one of two opposite answers
  expect(out).toMatch(/b\.foxes\.acc_norm +0\.5\n/);
  const tasks: unknown = JSON.parse(await readFile(join(run, "tasks.json"), "utf8"));
  expect(tasks).toMatchObject({ models: [{ model: "a" }, { model: "b" }] });
  const refused = await runCli(["evaluate", ...models, "--tasks", "mmlu", "--run", run]);
  expect([refused.code, refused.err]).toEqual([
    2,
    expect.stringContaining("mmlu needs its file: mmlu=PATH"),
  ]);
});
