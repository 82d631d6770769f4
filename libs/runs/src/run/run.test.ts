import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { hostname, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StagecraftError } from "@stagecraft/core";
import { z } from "zod";
import { silentReporter } from "../stage/reporter.js";
import type { StageFacts } from "../stage/stage.js";
import { readRunRecord } from "./run-record.js";
import { openRun, stopReason, withRun } from "./run.js";

/** `echo one | sha256sum` */
const SHA256_OF_ONE = "2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806";
let runDir: string;
beforeEach(async () => {
  runDir = await mkdtemp(join(tmpdir(), "stagecraft-run-"));
});
afterEach(() => rm(runDir, { recursive: true, force: true }));

const toy = (more: Partial<StageFacts> = {}): StageFacts => ({ name: "toy", ...more });
const options = (more: object = {}) => ({
  runDir,
  stage: toy(),
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

/** A run that ended after its first step. */
async function startedRun(more: object = {}): Promise<void> {
  const run = await openRun(options(more));
  run.metrics.write({ stage: "toy", step: 1 });
  await run.close();
}

describe("openRun()", () => {
  it("writes run.json with the frozen configuration", async () => {
    const run = await openRun(options());
    await run.close();
    expect(await readRunRecord(runDir)).toMatchObject({
      stage: "toy",
      state: "running",
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
    await expect(openRun(options())).rejects.toThrow("already holds a run of toy (succeeded)");
    await startedRun({ overwrite: true });
    await expect(openRun(options())).rejects.toThrow("already holds a run of toy (running)");
  });

  it("refuses to resume with another configuration, naming the fields, but lets threads differ", async () => {
    await startedRun();
    const changed = { seed: 3, steps: 20, threads: 2 };
    await expect(openRun(options({ resume: true, config: changed }))).rejects.toThrow(
      "steps was 10, now 20. Resume it with the old values, or start over with --overwrite",
    );
    const threads = { seed: 3, steps: 10, threads: 2 };
    await (await openRun(options({ resume: true, config: threads }))).close();
  });

  it("resumes a run that began before a field was there, as long as it has its default", async () => {
    await startedRun();
    const schema = z.strictObject({
      seed: z.number(),
      steps: z.number(),
      overlong: z.string().default("cut"),
    });
    const resume = (overlong: string) => {
      const config = { seed: 3, steps: 10, overlong };
      return openRun(options({ resume: true, stage: toy({ schema }), config }));
    };
    await expect(resume("drop")).rejects.toThrow('overlong was "cut", now "drop"');
    await (await resume("cut")).close();
    expect(await readRunRecord(runDir)).toMatchObject({ config: { overlong: "cut" } });
  });

  it("refuses to resume a run of another stage", async () => {
    await startedRun();
    await expect(openRun(options({ stage: { name: "other" }, resume: true }))).rejects.toThrow(
      "run of toy, which other cannot resume",
    );
  });

  it("case H: refuses to resume after an input was edited, and names file and way out", async () => {
    const data = join(runDir, "..", `${basename(runDir)}.jsonl`);
    const stage = toy({ inputs: () => [{ field: "data", kind: "data", path: data }] });
    await writeFile(data, "one\n");
    await startedRun({ stage });
    await writeFile(data, "two\n");
    const again = openRun(options({ resume: true, stage }));
    await expect(again).rejects.toThrow(
      `${data} has changed. Put the old content back and resume it, or start over with --overwrite`,
    );
    await writeFile(data, "one\n");
    await (await openRun(options({ resume: true, stage }))).close();
    await rm(data);
    const missing = openRun(options({ overwrite: true, stage }));
    await expect(missing).rejects.toThrow("there is no file or folder");
    expect(await readRunRecord(runDir)).toMatchObject({ inputs: { [data]: SHA256_OF_ONE } });
  });

  it("goes on when the cache of models lies elsewhere, and with no other model there", async () => {
    const cached = "team_base-0123456789abcdef";
    const at = (cache: string) => join(runDir, "..", `${basename(runDir)}-${cache}`);
    const stage = toy({
      inputs: ({ model }: { model: string }) => [{ field: "model", kind: "model", path: model }],
    });
    const using = (cache: string, more: object = {}) => {
      const model = join(at(cache), cached);
      return { stage, config: { model, models: [`base=${model}`] }, ...more };
    };
    for (const cache of ["a", "b", "c"]) {
      await mkdir(join(at(cache), cached), { recursive: true });
      await writeFile(join(at(cache), cached, "config.json"), cache === "c" ? "[]" : "{}");
    }
    await startedRun(using("a"));
    await (await openRun(options(using("b", { resume: true })))).close();
    await expect(openRun(options(using("c", { resume: true })))).rejects.toThrow(
      `${cached}/config.json has changed`,
    );
    const other = { ...using("b").config, model: join(at("b"), "team_base-0000000000000000") };
    await mkdir(other.model);
    await expect(openRun(options(using("b", { resume: true, config: other })))).rejects.toThrow(
      "model was",
    );
    for (const cache of ["a", "b", "c"]) await rm(at(cache), { recursive: true });
  });

  it("does not delete what it is to read, when it replaces a run", async () => {
    const path = join(runDir, "model");
    await withRun({ ...options(), context: context() }, async () => result);
    await mkdir(path);
    await writeFile(join(path, "config.json"), "{}");
    const stage = toy({ inputs: () => [{ field: "model", kind: "model", path }] });
    const replacing = openRun(options({ overwrite: true, stage }));
    await expect(replacing).rejects.toThrow("a result of the run in");
    expect(await readFile(join(path, "config.json"), "utf8")).toBe("{}");
  });

  it("begins a run anew that failed before its first step, whatever its configuration", async () => {
    for (const more of [{ config: { seed: 3, steps: 20 } }, { stage: { name: "other" } }]) {
      for (const resume of [true, false]) {
        const stage = toy({ leaves: { tokenizer: "scratch" } });
        const replacing = context({ overwrite: true });
        const failing = withRun({ ...options({ stage }), context: replacing }, async (run) => {
          run.metrics.write({ step: 0 });
          await mkdir(join(runDir, "tokenizer"));
          throw new Error("does not fit");
        });
        await expect(failing).rejects.toThrow("does not fit");
        const run = await openRun(options({ ...more, resume }));
        expect([run.record.attempts, run.metrics.sizeBytes()]).toEqual([1, 0]);
        expect(await readdir(runDir)).not.toContain("tokenizer");
        await run.close();
      }
    }
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
  it("records a run that is stopped to go on later as paused, one that is cancelled as cancelled", async () => {
    for (const stopAs of ["paused", "cancelled"] as const) {
      const signal = AbortSignal.abort(stopReason(stopAs));
      const stopped = withRun({ ...options(), context: context({ signal, overwrite: true }) }, () =>
        Promise.reject(new StagecraftError("cancelled", "the caller cancelled")),
      );
      await expect(stopped).rejects.toMatchObject({ code: "cancelled" });
      expect((await readRunRecord(runDir))?.state).toBe(stopAs);
    }
  });

  it("records how a run ended and frees the directory", async () => {
    const failing = (code: "cancelled" | "internal") =>
      withRun({ ...options(), context: context({ overwrite: true }) }, () =>
        Promise.reject(new StagecraftError(code, "because")),
      );
    await expect(failing("cancelled")).rejects.toThrow("because");
    expect((await readRunRecord(runDir))?.state).toBe("cancelled");
    await expect(failing("internal")).rejects.toThrow("because");
    expect(await readRunRecord(runDir)).toMatchObject({
      state: "failed",
      error: { code: "internal", message: "because" },
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
