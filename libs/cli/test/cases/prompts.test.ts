import { join } from "node:path";
import { expect, it } from "vitest";
import { makeBase, openWorkshop, readRecords, runCli, succeed, writeRecords } from "./case-kit.js";

const SHORT = ["--max-new-tokens", "4", "--threads", "1"];

it("one prompt too long for the model is left out by name, in collect, its resume, and evaluate", async () => {
  await using workshop = await openWorkshop();
  const model = await makeBase(workshop.path("base"));
  const prompts = await writeRecords(workshop, "mixed.jsonl", [
    { id: "a", prompt: "one" },
    { id: "long", prompt: "word ".repeat(40) },
    { id: "b", prompt: "two" },
  ]);
  const warning = /prompt "long" \(.*mixed\.jsonl:2\) has \d+ tokens and leaves no room/;
  const run = workshop.path("answers");
  const collect = ["collect", "--model", model, "--prompts", prompts, "--run", run, ...SHORT];
  const { err } = await succeed(collect);
  expect(err).toMatch(warning);
  const sets = await readRecords(join(run, "answers.jsonl"));
  expect(sets.map(({ id }) => id)).toEqual(["a", "b"]);
  await succeed([...collect, "--resume"]);

  const judged = workshop.path("judged");
  const evaluate = ["evaluate", "--models", model, "--prompts", prompts, "--run", judged];
  expect((await succeed([...evaluate, ...SHORT])).err).toMatch(warning);
  expect(await readRecords(join(judged, "answers.jsonl"))).toHaveLength(2);

  await writeRecords(workshop, "mixed.jsonl", [{ prompt: "word ".repeat(40) }]);
  const none = await runCli([...collect, "--overwrite"]);
  expect(none.code).toBe(1);
  expect(none.err).toContain("all 1 are too long");
});

it("two prompt files without ids: every prompt is answered under an id of its own", async () => {
  await using workshop = await openWorkshop();
  const model = await makeBase(workshop.path("base"));
  const first = await writeRecords(workshop, "first.jsonl", [{ prompt: "a" }, { prompt: "b" }]);
  const second = await writeRecords(workshop, "second.jsonl", [{ prompt: "c" }]);
  const run = workshop.path("judged");
  await succeed([
    ...["evaluate", "--models", model, "--prompts", first, "--prompts", second],
    ...["--run", run, ...SHORT],
  ]);
  const ids = (await readRecords(join(run, "answers.jsonl"))).map(({ id }) => id);
  expect(ids).toEqual(["first:line-1", "first:line-2", "second:line-1"]);
});
