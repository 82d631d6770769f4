import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { makeBase, openWorkshop, readRecords, spawnCli, writeRecords } from "./case-kit.js";

it("loop does not close its round on the first ranking: it says what it waits for and how to answer", async () => {
  await using workshop = await openWorkshop();
  const model = await makeBase(workshop.path("base"));
  const records = ["a", "b", "c", "d"].map((prompt, i) => ({ id: `p${i}`, prompt }));
  const prompts = await writeRecords(workshop, "prompts.jsonl", records);
  const run = workshop.path("loop");
  const loop = spawnCli([
    ...["loop", "--policy", model, "--prompts", prompts, "--run", run, "--poll-ms", "20"],
    ...["--prompts-per-round", "4", "--samples-per-prompt", "2", "--max-new-tokens", "4"],
  ]);
  await loop.waitFor("0 of 4 prompts ranked (there are 4), 0 of 20 held-out pairs");
  const [first] = await readRecords(join(run, "rounds/0001/collect/answers.jsonl"));
  const { id, prompt, answers } = first!;
  await writeRecords(workshop, "loop/inbox/mine.jsonl", [{ id, prompt, answers, ranks: [1, 2] }]);
  await loop.waitFor("1 of 4 prompts ranked");
  loop.kill("SIGINT");
  const { code, err } = await loop.done;
  expect(code).toBe(130);
  expect(err).toContain('"ranks":[1,2,2]'); // a sample to go by
  expect(err).toContain("--resume goes on where it was");
  expect(existsSync(join(run, "rounds/0001/reward"))).toBe(false);
});
