import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { openRun } from "@stagecraft/runs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { findRuns } from "./runs.js";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "stagecraft-runs-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

it("tells a run that a living process holds from one whose process died", async () => {
  const run = await openRun({ runDir: dir, stage: { name: "toy" }, config: {}, resume: false });
  const [held] = await findRuns(dir);
  expect([held!.state, held!.heldBy]).toEqual([
    "running",
    `process ${process.pid} on ${hostname()}`,
  ]);
  await run.close();
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  const lock = { pid: child.pid, host: hostname(), token: "x", lockedAt: "then" };
  await writeFile(join(dir, "run.lock"), JSON.stringify(lock)); // left by a killed process
  const [died] = await findRuns(dir);
  expect(died).toMatchObject({ state: "failed", error: { code: "aborted" } });
  expect(died!.heldBy).toBeUndefined();
});
