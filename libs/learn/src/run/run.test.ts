import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StagecraftError } from "@stagecraft/core";
import { silentReporter } from "./reporter.js";
import { openRun, readRunRecord, withRun } from "./run.js";

let runDir: string;
beforeEach(async () => {
  runDir = await mkdtemp(join(tmpdir(), "stagecraft-run-"));
});
afterEach(() => rm(runDir, { recursive: true, force: true }));

const options = (more: object = {}) => ({
  runDir,
  stage: "toy",
  config: { seed: 3, steps: 10 },
  resume: false,
  ...more,
});
const context = (more: object = {}) => ({
  runDir,
  resume: false,
  signal: new AbortController().signal,
  reporter: silentReporter(),
  ...more,
});
const result = { outputs: {}, metrics: { loss: 1 } };

describe("openRun()", () => {
  it("writes run.json with the frozen configuration", async () => {
    const run = await openRun(options());
    await run.close();
    expect(await readRunRecord(runDir)).toMatchObject({
      stage: "toy",
      status: "running",
      seed: 3,
      config: { seed: 3, steps: 10 },
      versions: { node: process.versions.node },
    });
  });

  it("refuses a second run in one directory while the first lives", async () => {
    const run = await openRun(options());
    await expect(openRun(options({ resume: true }))).rejects.toThrow(
      `in use by process ${process.pid}`,
    );
    await run.close();
    await (await openRun(options({ resume: true }))).close();
  });

  it("takes over the lock of a process that is gone", async () => {
    const child = spawn(process.execPath, ["-e", ""]);
    await once(child, "exit");
    const lock = { pid: child.pid, host: hostname(), token: "x", lockedAt: "then" };
    await writeFile(join(runDir, "run.lock"), JSON.stringify(lock));
    await (await openRun(options())).close();
  });

  it("takes over a lock whose pid now belongs to another process, and a torn one", async () => {
    const lock = { pid: process.pid, host: hostname(), startTicks: "1", token: "x", lockedAt: "" };
    for (const text of [JSON.stringify(lock), '{"pid":']) {
      await writeFile(join(runDir, "run.lock"), text);
      await (await openRun(options({ overwrite: true }))).close();
    }
  });

  it("respects a lock of another host", async () => {
    const lock = { pid: 1, host: "elsewhere.example", token: "x", lockedAt: "then" };
    await writeFile(join(runDir, "run.lock"), JSON.stringify(lock));
    await expect(openRun(options())).rejects.toThrow("elsewhere.example");
  });

  it("refuses a directory with a run unless resume or overwrite is asked", async () => {
    await withRun({ ...options(), context: context() }, async () => result);
    await expect(openRun(options())).rejects.toThrow("already holds a finished run");
    await (await openRun(options({ overwrite: true }))).close();
    await expect(openRun(options())).rejects.toThrow("already holds an unfinished run");
  });

  it("refuses to resume with another configuration, naming the fields, but lets threads differ", async () => {
    await (await openRun(options())).close();
    const changed = { seed: 3, steps: 20, threads: 2 };
    await expect(openRun(options({ resume: true, config: changed }))).rejects.toThrow(
      "steps was 10, now 20",
    );
    const threads = { seed: 3, steps: 10, threads: 2 };
    await (await openRun(options({ resume: true, config: threads }))).close();
  });

  it("refuses to resume a run of another stage", async () => {
    await (await openRun(options())).close();
    await expect(openRun(options({ stage: "other", resume: true }))).rejects.toThrow(
      "run of toy, which other cannot resume",
    );
  });

  it("cuts metrics.jsonl back to a given length", async () => {
    const run = await openRun(options());
    run.metrics.write({ step: 1 });
    const size = run.metrics.sizeBytes();
    run.metrics.write({ step: 2, loss: NaN });
    run.metrics.truncate(size);
    run.metrics.write({ step: 3 });
    await run.close();
    expect(await readFile(join(runDir, "metrics.jsonl"), "utf8")).toBe('{"step":1}\n{"step":3}\n');
  });
});

describe("withRun()", () => {
  it("records how a run ended and frees the directory", async () => {
    const failing = (code: "cancelled" | "internal") =>
      withRun({ ...options({ overwrite: true }), context: context() }, () =>
        Promise.reject(new StagecraftError(code, "because")),
      );
    await expect(failing("cancelled")).rejects.toThrow("because");
    expect((await readRunRecord(runDir))?.status).toBe("cancelled");
    await expect(failing("internal")).rejects.toThrow("because");
    expect(await readRunRecord(runDir)).toMatchObject({
      status: "failed",
      error: "[internal] because",
    });
  });

  it("returns the stored result when a finished run is resumed", async () => {
    await withRun({ ...options(), context: context() }, async () => result);
    const again = withRun({ ...options(), context: context({ resume: true }) }, () =>
      Promise.reject(new Error("must not run")),
    );
    expect(await again).toEqual(result);
  });
});
