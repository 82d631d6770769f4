import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { runCli, spawnCli } from "./spawn-cli.js";
import { openWorkshop, SOME_TEXT, TINY_PRETRAIN } from "./tiny-model.js";

/** Longer than the time in which two signals count as one key press. */
const ANOTHER_PRESS_MS = 400;

async function readState(run: string): Promise<unknown> {
  const record = JSON.parse(await readFile(join(run, "run.json"), "utf8")) as { state: unknown };
  return record.state;
}

describe("Ctrl-C", () => {
  it("saves, stops with 130, and resumes to the weights of an uninterrupted run", async () => {
    await using workshop = await openWorkshop();
    const corpus = await workshop.write("corpus.txt", SOME_TEXT);
    const args = (run: string) => [
      ...["pretrain", "--corpus", corpus, "--run", workshop.path(run), "--json"],
      ...["--steps", "300", "--log-every", "1", ...TINY_PRETRAIN],
    ];
    const interrupted = spawnCli(args("interrupted"));
    await interrupted.waitFor('"done":20,');
    interrupted.kill("SIGINT");
    const { code, err, out } = await interrupted.done;
    expect([code, await readState(workshop.path("interrupted"))]).toEqual([130, "cancelled"]);
    expect(err).toContain("[cancelled]");
    expect(out).toContain("--resume goes on where it was");

    expect((await runCli([...args("interrupted"), "--resume"])).code).toBe(0);
    expect((await runCli(args("whole"))).code).toBe(0);
    const weights = (run: string) => readFile(workshop.path(`${run}/model/model.safetensors`));
    expect((await weights("interrupted")).equals(await weights("whole"))).toBe(true);
  });

  it("a second time stops at once, and the run can still be resumed", async () => {
    await using workshop = await openWorkshop();
    const corpus = await workshop.write("corpus.txt", SOME_TEXT);
    // Evaluations of this size keep the stage busy well past the second signal.
    const args = [
      ...["pretrain", "--corpus", corpus, "--run", workshop.path("run"), "--json"],
      ...["--steps", "100000", "--checkpoint-every", "10", ...TINY_PRETRAIN],
    ];
    const child = spawnCli(args);
    await child.waitFor('"done":30,');
    child.kill("SIGSTOP"); // both signals are waiting when it goes on
    child.kill("SIGINT");
    child.kill("SIGCONT");
    await child.waitFor("press Ctrl-C again").catch(() => undefined);
    await delay(ANOTHER_PRESS_MS);
    child.kill("SIGINT");
    expect((await child.done).code).toBe(130);
    const resumed = spawnCli([...args, "--resume"]);
    await resumed.waitFor("resumed at step");
    resumed.kill("SIGTERM");
    expect((await resumed.done).code).toBe(143);
  });

  it("one process at a time in a run directory", async () => {
    await using workshop = await openWorkshop();
    const corpus = await workshop.write("corpus.txt", SOME_TEXT);
    const args = [
      ...["pretrain", "--corpus", corpus, "--run", workshop.path("run"), "--json"],
      ...["--steps", "100000", ...TINY_PRETRAIN],
    ];
    const first = spawnCli(args);
    await first.waitFor('"done":1,');
    const second = await runCli([...args, "--resume"]);
    expect(second.code).toBe(1);
    expect(second.err).toContain("is in use by process");
    first.kill("SIGTERM");
    expect((await first.done).code).toBe(143);
  });
});
