import { join } from "node:path";
import { tempDir, waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { createDiskWatch } from "./nats.js";
import { DEFAULT_RESTART } from "./restart-policy.js";
import { superviseProcess, type ProcessSpec } from "./supervised-process.js";

const MIB = 1024 ** 2;

/** A program that does nothing, whose health is what the test says. */
async function supervise(change: Partial<ProcessSpec>) {
  const directory = await tempDir();
  const events: string[] = [];
  const health = { answers: true };
  const process = superviseProcess({
    name: "sleeper",
    service: "rollout",
    ports: { port: 1, metricsPort: 2 },
    invocation: () => ({ program: "sleep", args: ["600"] }),
    probe: () => ({ ask: () => Promise.resolve(health.answers), close: () => undefined }),
    lifeline: "stdin",
    logFile: join(directory.path, "log"),
    restart: { ...DEFAULT_RESTART, initialMs: 10 },
    probeEveryMs: 10,
    onEvent: (level, text) => events.push(`${level}: ${text}`),
    onStarted: () => undefined,
    ...change,
  });
  await process.untilUp();
  return {
    process,
    events,
    health,
    async [Symbol.asyncDispose]() {
      await process.stop(1000);
      await directory[Symbol.asyncDispose]();
    },
  };
}

describe("superviseProcess()", () => {
  it("kills a process whose health is silent for long, and starts it again", async () => {
    await using world = await supervise({ maxSilenceMs: 300 });
    const before = world.process.info().pid;
    world.health.answers = false;
    await waitFor(() => world.process.info().lastExit === "SIGKILL");
    world.health.answers = true;
    await waitFor(() => world.process.info().state === "up");
    // On a busy machine the new one may be silent for 0.3 s as well.
    expect(world.process.info().restarts).toBeGreaterThanOrEqual(1);
    expect(world.process.info().pid).not.toBe(before);
    expect(world.events).toContain("error: has not answered for 0s; killing it");
  });

  it("bears a short silence", async () => {
    await using world = await supervise({ maxSilenceMs: 5000 });
    world.health.answers = false;
    await waitFor(() => !world.process.info().answers);
    world.health.answers = true;
    await waitFor(() => world.process.info().answers);
    expect(world.process.info().restarts).toBe(0);
  });

  it("starts a process again that answers and has a reason to be started again, once", async () => {
    let ill = true;
    const restartReason = () => {
      const reason = ill ? "its streams stand still" : undefined;
      ill = false;
      return Promise.resolve(reason);
    };
    await using world = await supervise({ restartReason });
    await waitFor(() => world.process.info().restarts === 1 && world.process.info().state === "up");
    expect(world.process.info().lastExit).toBe("SIGTERM");
    expect(world.events).toContain("warn: its streams stand still; starting it again");
  });
});

describe("superviseProcess() with a reason that cannot be told", () => {
  it("leaves the process alone", async () => {
    let asked = 0;
    const restartReason = () => {
      asked++;
      return Promise.reject(new Error("no such folder"));
    };
    await using world = await supervise({ restartReason });
    await waitFor(() => asked > 3);
    expect(world.process.info()).toMatchObject({ restarts: 0, state: "up" });
  });
});

describe("createDiskWatch()", () => {
  it("asks for a restart once there is space again, and for none before", async () => {
    let free = 900 * MIB;
    let timesFull = 0;
    const look = createDiskWatch({
      freeBytes: () => Promise.resolve(free),
      onFull: () => timesFull++,
    });
    expect(await look()).toBeUndefined();
    free = 1000;
    expect([await look(), await look()]).toEqual([undefined, undefined]);
    free = 3 * MIB;
    expect(await look()).toBeUndefined();
    free = 900 * MIB;
    expect(await look()).toMatch(/disk was full/);
    expect(await look()).toBeUndefined();
    expect(timesFull).toBe(1);
  });
});
