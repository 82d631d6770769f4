import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { atomicWriteFile } from "./atomic-write.js";
import { openCheckpoints } from "./checkpoints.js";
import {
  acquireDirectoryLock,
  isProcessAlive,
  releaseLockOfThread,
  thisProcess,
} from "./directory-lock.js";
import { f32 } from "./tensor-entry.js";

const lockWith = (path: string, epoch?: number) =>
  acquireDirectoryLock(path, { file: "run.lock", what: "run directory", epoch });
const content = (fill: number) => ({
  tensors: new Map([["w", f32([2], new Float32Array(2).fill(fill))]]),
  state: { fill },
});

describe("acquireDirectoryLock()", () => {
  it("gives a living holder's directory to a larger epoch only, and tells the older one", async () => {
    await using dir = await tempDir();
    const older = await lockWith(dir.path, 3);
    for (const epoch of [undefined, 2, 3]) {
      await expect(lockWith(dir.path, epoch)).rejects.toThrow("[failed_precondition]");
    }
    older.check();
    const newer = await lockWith(dir.path, 4);
    expect(() => older.check()).toThrow(/\[aborted\].*was taken over by process/);
    newer.check();
    await older.release();
    newer.check(); // the older one did not take the newer one's lock away
    await newer.release();
    expect(() => newer.check()).toThrow("[aborted]");
  });

  it("leaves the directory of a living holder without a lease to it, whoever asks", async () => {
    await using dir = await tempDir();
    const command = await lockWith(dir.path);
    await expect(lockWith(dir.path, 9)).rejects.toThrow("[failed_precondition]");
    command.check();
    await command.release();
  });

  it("takes the lock of a thread away that is gone, and no other", async () => {
    await using dir = await tempDir();
    const lock = await lockWith(dir.path);
    const file = join(dir.path, "run.lock");
    const own = JSON.parse(await readFile(file, "utf8")) as object;
    const release = (threadId: number) =>
      releaseLockOfThread(dir.path, { file: "run.lock", threadId });
    await release(7);
    lock.check();
    await writeFile(file, JSON.stringify({ ...own, threadId: 7, pid: 1 }));
    await release(7);
    await writeFile(file, JSON.stringify({ ...own, threadId: 7 }));
    await release(7);
    await (await lockWith(dir.path)).release();
  });

  it("keeps the older process from every visible change of a checkpoint", async () => {
    await using dir = await tempDir();
    const older = await lockWith(dir.path, 1);
    const checkpoints = openCheckpoints(dir.path, { guard: () => older.check(), epoch: 1 });
    await checkpoints.save(1, content(1));
    await lockWith(dir.path, 2);
    const before = await readFile(join(dir.path, "LATEST"), "utf8");
    await expect(checkpoints.save(2, content(2))).rejects.toThrow("[aborted]");
    expect(await checkpoints.list()).toEqual([1]);
    expect(await readFile(join(dir.path, "LATEST"), "utf8")).toBe(before);
    const manifest = await readFile(join(dir.path, "step-000001/manifest.json"), "utf8");
    expect(JSON.parse(manifest)).toMatchObject({ meta: { step: 1, epoch: 1 } });
    const file = join(dir.path, "run.json");
    const guarded = atomicWriteFile(file, "x", { guard: () => older.check() });
    await expect(guarded).rejects.toThrow("[aborted]");
    await expect(readFile(file)).rejects.toThrow("ENOENT");
  });
});

describe("isProcessAlive()", () => {
  it("takes a dead process that nobody has waited for as dead", async () => {
    // The shell's child ends at once and stays a zombie: exec'd sleep never waits for it.
    const shell = spawn("sh", ["-c", "true & echo $!; exec sleep 30"]);
    const [data] = (await once(shell.stdout, "data")) as [Buffer];
    const { host } = await thisProcess();
    const pid = Number(data.toString().trim());
    let alive = true;
    while (alive) alive = await isProcessAlive({ pid, host });
    expect(await isProcessAlive({ pid: shell.pid!, host })).toBe(true);
    shell.kill("SIGKILL");
    await once(shell, "exit");
    expect(await isProcessAlive({ pid: shell.pid!, host })).toBe(false);
  });

  it("knows itself, and cannot judge another machine", async () => {
    const own = await thisProcess();
    expect(await isProcessAlive(own)).toBe(true);
    expect(await isProcessAlive({ ...own, startTicks: "1" })).toBe(false);
    expect(await isProcessAlive({ pid: 1, host: "elsewhere.example" })).toBe(true);
  });
});
