import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fromErrorRecord, StagecraftError } from "@stagecraft/core";
import { silentReporter } from "../stage/reporter.js";
import { INTERRUPTED, lookAtRun, readRunRecord } from "./run-record.js";
import { openRun, withRun } from "./run.js";

let runDir: string;
beforeEach(async () => {
  runDir = await mkdtemp(join(tmpdir(), "stagecraft-record-"));
});
afterEach(() => rm(runDir, { recursive: true, force: true }));

/** As versions before formatVersion 2 wrote it. */
const before = (more: object) =>
  writeFile(
    join(runDir, "run.json"),
    JSON.stringify({ formatVersion: 1, stage: "sft", config: {}, attempts: 1, ...more }),
  );

describe("readRunRecord()", () => {
  it("reads runs of earlier versions: their word for the state, their error as a text", async () => {
    for (const [status, state] of [
      ["finished", "succeeded"],
      ["cancelled", "cancelled"],
      ["running", "running"],
    ]) {
      await before({ status });
      expect(await readRunRecord(runDir)).toMatchObject({ formatVersion: 2, stage: "sft", state });
    }
    await before({ status: "failed", error: "[data_loss] a [b] c\nd" });
    const { state, error } = (await readRunRecord(runDir))!;
    expect([state, error]).toEqual(["failed", { code: "data_loss", message: "a [b] c\nd" }]);
    await before({ status: "failed", error: "no code" });
    expect((await readRunRecord(runDir))?.error).toEqual({ code: "internal", message: "no code" });
  });

  it("resumes a finished run of an earlier version to its stored result", async () => {
    const result = { outputs: {}, metrics: { loss: 1 } };
    await before({ status: "finished", result, startedAt: "then", updatedAt: "then" });
    const signal = new AbortController().signal;
    const context = { runDir, resume: true, signal, reporter: silentReporter() };
    const again = withRun({ stage: { name: "sft" }, config: {}, context }, () =>
      Promise.reject(new Error("must not run")),
    );
    expect(await again).toEqual(result);
  });

  it("keeps code, field and advice of a failure apart", async () => {
    const signal = new AbortController().signal;
    const context = { runDir, resume: false, signal, reporter: silentReporter() };
    const details = { field: "ratingMin", line: 3 };
    const thrown = new StagecraftError("invalid_argument", "too high; lower it", { details });
    const failing = withRun({ stage: { name: "toy" }, config: {}, context }, () =>
      Promise.reject(thrown),
    );
    await expect(failing).rejects.toBe(thrown);
    const { error } = (await readRunRecord(runDir))!;
    expect(error).toEqual({ code: "invalid_argument", message: "too high; lower it", details });
    expect(fromErrorRecord(error!)).toMatchObject({ message: thrown.message, details });
  });
});

describe("lookAtRun()", () => {
  it("says that a run has failed whose process is gone, and who holds one that works", async () => {
    const run = await openRun({ runDir, stage: { name: "toy" }, config: {}, resume: false });
    expect((await lookAtRun(runDir))?.heldBy).toContain(`process ${process.pid} on `);
    await run.close();
    expect(await lookAtRun(runDir)).toMatchObject({ state: "failed", error: INTERRUPTED });
    expect((await readRunRecord(runDir))?.state).toBe("running");
  });
});
