import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { commitOf } from "./provenance.js";
import { readRunRecord } from "./run-record.js";
import { openRun } from "./run.js";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "stagecraft-provenance-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe("what a run's record says of where it comes from", () => {
  it("has machine, sizes of what was read, and the time worked over all attempts", async () => {
    const runDir = join(dir, "run");
    const files = ["a.jsonl", "b.jsonl", "c.bin"].map((name) => join(dir, name));
    const contents = ["{}\n{}\n", "{}\n{}", "x\ny"]; // the last line counts without its newline
    for (const [i, file] of files.entries()) await writeFile(file, contents[i]!);
    const inputs = () => files.map((path) => ({ field: "data", kind: "data" as const, path }));
    const again = async (resume: boolean) => {
      const run = await openRun({ runDir, stage: { name: "toy", inputs }, config: {}, resume });
      run.metrics.write({ step: 1 });
      await run.end({ state: "cancelled" });
      await run.close();
      return (await readRunRecord(runDir))!;
    };
    const first = await again(false);
    expect(first.inputSizes).toEqual({
      [files[0]!]: { bytes: 6, lines: 2 },
      [files[1]!]: { bytes: 5, lines: 2 },
      [files[2]!]: { bytes: 3 },
    });
    expect(Object.keys(first.inputs!)).toEqual(files);
    expect(first.machine!.cores).toBeGreaterThan(0);
    expect(first.machine!.memoryBytes).toBeGreaterThan(0);
    expect((await again(true)).workedMs).toBeGreaterThanOrEqual(first.workedMs!);
  });
});

describe("commitOf()", () => {
  const git = (...args: string[]) =>
    execFileSync("git", ["-C", dir, "-c", "user.name=t", "-c", "user.email=t@t", ...args]);

  it("names the commit of our repository, says when files differ, and not a foreign one", async () => {
    const ours = join(dir, "libs", "runs");
    await mkdir(ours, { recursive: true });
    expect(await commitOf(ours)).toBeUndefined();
    await writeFile(join(ours, "a"), "1");
    git("init", "--quiet");
    git("add", ".");
    git("commit", "--quiet", "-m", "x");
    expect(await commitOf(ours)).toMatch(/^[0-9a-f]{40}$/);
    await writeFile(join(ours, "a"), "2");
    expect(await commitOf(ours)).toMatch(/^[0-9a-f]{40} \+ changes$/);
    const installed = join(dir, "node_modules", "runs");
    await mkdir(installed, { recursive: true });
    expect(await commitOf(installed)).toBeUndefined();
  });
});
