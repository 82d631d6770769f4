import { expect, it } from "vitest";
import { example, makeBase, openWorkshop, runCli, succeed, writeRecords } from "./case-kit.js";

// The case to copy: own small input, the real command line, what the user has to see.
it("one bad line among good ones stops sft with file and line; without it the run is done", async () => {
  await using workshop = await openWorkshop();
  const good = Array.from({ length: 12 }, (_, i) => example(`Q${i}`, "Yes."));
  const data = await writeRecords(workshop, "data.jsonl", [...good, { messages: 3 }]);
  const model = await makeBase(workshop.path("base"));
  const run = workshop.path("sft");
  const args = ["sft", "--model", model, "--data", data, "--epochs", "1", "--run", run];

  const { code, err } = await runCli(args);
  expect([code, err]).toEqual([1, expect.stringContaining("data.jsonl:13")]);

  await writeRecords(workshop, "data.jsonl", good);
  await succeed([...args, "--overwrite"]);
});
