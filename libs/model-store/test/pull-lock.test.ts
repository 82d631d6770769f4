import { utimesSync, writeFileSync } from "node:fs";
import { readdir, stat, writeFile } from "node:fs/promises";
import { tempDir } from "@stagecraft/testing";
import { afterEach, describe, expect, it, vi } from "vitest";
import { lockTarget } from "../src/pull-lock.js";

describe("lockTarget(): the one that works", () => {
  afterEach(() => void (vi.restoreAllMocks(), vi.useRealTimers()));
  const lost = { pid: 1, host: "lost.example", token: "x", lockedAt: "then", epoch: 7 };
  /** A folder with its lock, and looks at the clock, with 30 s between two of them. */
  async function openLost(atLook: (numLooks: number, lock: string) => void = () => undefined) {
    const dir = await tempDir();
    const lock = dir.file(".back.lock");
    await writeFile(lock, JSON.stringify(lost));
    let numLooks = 0;
    vi.spyOn(performance, "now").mockImplementation(() => {
      atLook(++numLooks, lock);
      return numLooks * 30_000;
    });
    const said: string[] = [];
    const options = {
      partial: dir.file("partial"),
      patienceMs: 60_000,
      say: (text: string) => void said.push(text),
    };
    return {
      ...{ dir, said, numLooks: () => numLooks },
      take: () => lockTarget(dir.file("back"), options),
      [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
    };
  }

  it("has its place taken after a minute by the clock, however often it was taken before", async () => {
    await using rig = await openLost();
    const lock = await rig.take();
    expect(lock.tookOver).toBe(true);
    expect(rig.numLooks()).toBe(3);
    expect(rig.said.at(-1)).toMatch(/nothing has come in for 60 s; going on in its place/);
    await lock.release();
    expect(await readdir(rig.dir.path)).toEqual([]);
  });

  it("keeps its place for as long as it touches its lock, though no byte comes in", async () => {
    await using rig = await openLost((numLooks, lock) => {
      if (numLooks < 4) utimesSync(lock, numLooks, numLooks);
    });
    await (await rig.take()).release();
    expect(rig.numLooks()).toBe(6);
  });

  it("touches its lock while it works, and no longer when its place is taken", async () => {
    await using dir = await tempDir();
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const file = dir.file(".back.lock");
    const options = { partial: dir.file("partial"), patienceMs: 1, say: () => undefined };
    const lock = await lockTarget(dir.file("back"), options);
    utimesSync(file, 1, 1);
    vi.advanceTimersByTime(10_000);
    await expect.poll(async () => (await stat(file)).mtimeMs).toBeGreaterThan(1000);
    writeFileSync(file, JSON.stringify(lost));
    utimesSync(file, 1, 1);
    vi.advanceTimersByTime(10_000);
    expect(vi.getTimerCount()).toBe(0);
    await lock.release();
    expect((await stat(file)).mtimeMs).toBe(1000);
  });
});
