import { describe, expect, it } from "vitest";
import {
  example,
  makeBase,
  openWorkshop,
  runCli,
  spawnCli,
  succeed,
  writeRecords,
} from "./case-kit.js";

const chats = (answer: string) =>
  Array.from({ length: 12 }, (_, i) => example(`Question ${i}`, answer));

describe("case H: data that changed since the run began", () => {
  it("sft stopped half-way refuses --resume, with file and way out; the old content goes on", async () => {
    await using workshop = await openWorkshop();
    const data = await writeRecords(workshop, "data.jsonl", chats("Yes."));
    const model = await makeBase(workshop.path("base"));
    const args = [
      ...["sft", "--model", model, "--data", data, "--run", workshop.path("sft")],
      ...["--batch-size", "2", "--eval-every", "0", "--threads", "1", "--json"],
    ];
    const long = [...args, "--epochs", "300"];
    const stopped = spawnCli(long);
    await stopped.waitFor('"done":2,');
    stopped.kill("SIGINT");
    expect((await stopped.done).code).toBe(130);

    await writeRecords(workshop, "data.jsonl", chats("No."));
    const { code, err } = await runCli([...long, "--resume"]);
    expect(code).toBe(1);
    expect(err).toContain(`${data} has changed`);
    expect(err).toContain("--overwrite");

    await writeRecords(workshop, "data.jsonl", chats("Yes."));
    const resumed = spawnCli([...long, "--resume"]);
    await resumed.waitFor("resumed at step");
    resumed.kill("SIGINT");
    await resumed.done;

    await writeRecords(workshop, "data.jsonl", chats("No."));
    await succeed([...args, "--epochs", "1", "--overwrite"]);
  });

  it("a pipeline refuses a finished stage whose input was edited, and offers --rerun", async () => {
    await using workshop = await openWorkshop();
    const data = await writeRecords(workshop, "data.jsonl", chats("Yes."));
    const model = await makeBase(workshop.path("base"));
    const config = { model, data: [data], epochs: 1, threads: 1 };
    const stages = { tune: { stage: "sft", config } };
    const pipeline = { name: "one", run: workshop.path("run"), stages };
    const file = await workshop.write("pipeline.json", JSON.stringify(pipeline));
    const args = ["pipeline", "run", file];
    await succeed(args);
    expect((await succeed(args)).err).toContain("tune: finished already, skipped");

    await writeRecords(workshop, "data.jsonl", chats("No."));
    const { code, err } = await runCli(args);
    expect(code).toBe(1);
    expect(err).toContain(`${data} has changed`);
    expect(err).toContain("--rerun tune");
    await succeed([...args, "--rerun", "tune"]);
  });
});
