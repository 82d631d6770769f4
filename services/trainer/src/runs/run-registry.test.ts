import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { StagecraftError, throwIfAborted, type ErrorCode } from "@stagecraft/core";
import { acquireRunLock, openRun } from "@stagecraft/runs";
import { gate, tempDir, waitFor, type Gate } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { toRunMessage } from "./run-messages.js";
import { openRunRegistry, type NewRun, type RunRegistry } from "./run-registry.js";
import type { TrainerStage, TrainerStageContext } from "./trainer-stage.js";

const { signal } = new AbortController();
const schema = z.strictObject({
  steps: z.int().min(1).describe("Steps"),
  fail: z.boolean().default(false),
});

interface Rig {
  registry: RunRegistry;
  /** Lets a working stage finish. */
  finish: Gate;
  contexts: TrainerStageContext[];
  dir: string;
}

/** A stage that works until it is let go or stopped. */
async function withRegistry(body: (rig: Rig) => Promise<void>, maxActive = 1): Promise<void> {
  await using directory = await tempDir();
  const finish = gate();
  const contexts: TrainerStageContext[] = [];
  const stage: TrainerStage = {
    name: "count",
    summary: "counts",
    schema,
    async run(config, context) {
      const { steps, fail } = config as z.infer<typeof schema>;
      contexts.push(context);
      context.reporter.metrics({ step: 1 });
      context.reporter.progress({ stage: "count", done: 1, total: steps, unit: "steps" });
      if (fail)
        throw new StagecraftError("data_loss", "the disk is gone", { details: { file: "x" } });
      const stopped = new Promise<void>((resolve) => {
        context.signal.addEventListener("abort", () => resolve());
      });
      await Promise.race([finish.opened, stopped]);
      throwIfAborted(context.signal);
      return { outputs: {}, metrics: { steps } };
    },
  };
  const dir = directory.path;
  const registry = await openRunRegistry({
    stages: [stage],
    runsDir: dir,
    maxActive,
    eventsKept: 50,
  });
  await body({ registry, finish, contexts, dir });
  await registry.close();
}

function newRun(change: Partial<NewRun> = {}): NewRun {
  const defaults = { resume: false, overwrite: false, runDir: "", stage: "count" };
  return { ...defaults, runId: "r1", config: { steps: 3 }, ...change };
}

async function eventKinds(registry: RunRegistry, runId: string): Promise<string[]> {
  const kinds: string[] = [];
  for await (const { event } of registry.watch(runId, { after: 0, signal })) {
    kinds.push(event.kind === "run" ? event.run.state : event.kind);
  }
  return kinds;
}

describe("openRunRegistry()", () => {
  it("runs a stage to its result and tells watchers everything, early or late", async () => {
    await withRegistry(async ({ registry, finish, contexts, dir }) => {
      expect((await registry.create(newRun())).state).toBe("pending");
      const early = eventKinds(registry, "r1");
      finish.open();
      const kinds = ["pending", "running", "metrics", "progress", "succeeded"];
      expect(await early).toEqual(kinds);
      expect(await eventKinds(registry, "r1")).toEqual(kinds);
      expect(registry.get("r1")).toMatchObject({ result: { metrics: { steps: 3 } }, attempt: 1 });
      expect(contexts[0]).toMatchObject({ runId: "r1", runDir: join(dir, "r1"), resume: false });
    });
  });

  it("pauses at a checkpoint and resumes from it", async () => {
    await withRegistry(async ({ registry, finish, contexts }) => {
      await registry.create(newRun());
      await waitFor(() => contexts.length === 1);
      expect((await registry.pause("r1")).state).toBe("paused");
      registry.resume("r1");
      await waitFor(() => contexts.length === 2);
      expect(contexts[1]!.resume).toBe(true);
      finish.open();
      expect((await eventKinds(registry, "r1")).at(-1)).toBe("succeeded");
      await expect(registry.pause("r1")).rejects.toMatchObject({ code: "failed_precondition" });
      expect(() => registry.resume("r1")).toThrow("[failed_precondition]");
    });
  });

  it("cancels running, waiting, paused and ended runs alike", async () => {
    await withRegistry(async ({ registry, contexts }) => {
      await registry.create(newRun());
      await registry.create(newRun({ runId: "r2" }));
      await waitFor(() => contexts.length === 1);
      expect((await registry.cancel("r2")).state).toBe("cancelled");
      expect((await registry.cancel("r1")).state).toBe("cancelled");
      expect((await registry.cancel("r1")).state).toBe("cancelled");
      expect(contexts).toHaveLength(1);
    });
  });

  it("keeps code, reason and facts of a failure, on the wire too", async () => {
    await withRegistry(async ({ registry }) => {
      await registry.create(newRun({ config: { steps: 1, fail: true } }));
      expect((await eventKinds(registry, "r1")).at(-1)).toBe("failed");
      const error = { code: "data_loss", message: "the disk is gone", details: { file: "x" } };
      expect(registry.get("r1").error).toEqual(error);
      expect(toRunMessage(registry.get("r1")).error).toEqual(error);
    });
  });

  it("takes the same request twice as one, and refuses another under the same id", async () => {
    await withRegistry(async ({ registry, contexts }) => {
      await registry.create(newRun());
      await registry.create(newRun());
      const other = registry.create(newRun({ config: { steps: 4 } }));
      await expect(other).rejects.toThrow("[already_exists]");
      const over = registry.create(newRun({ overwrite: true }));
      await expect(over).rejects.toThrow("[failed_precondition]");
      await waitFor(() => contexts.length === 1);
      expect(registry.list()).toHaveLength(1);
    });
  });

  it("leaves the run that works in a folder alone when another one wants it", async () => {
    await withRegistry(async ({ registry, finish, dir }) => {
      await registry.create(newRun());
      const wishes = () => readFile(join(dir, "r1", "trainer.json"), "utf8");
      const before = await wishes();
      for (const how of [{}, { overwrite: true }, { resume: true }]) {
        const second = registry.create(newRun({ runId: "r2", runDir: "r1", ...how }));
        await expect(second).rejects.toThrow("is the folder of run r1, which is");
      }
      expect(await wishes()).toBe(before);
      finish.open();
      expect((await eventKinds(registry, "r1")).at(-1)).toBe("succeeded");
      await registry.create(newRun({ runId: "r2", runDir: "r1", overwrite: true }));
      expect(registry.list().map(({ runId }) => runId)).toEqual(["r2"]);
    });
  });

  it("writes nothing into a folder that another process works in, or that holds a run", async () => {
    await withRegistry(async ({ registry, dir }) => {
      const busy = join(dir, "busy");
      await mkdir(busy);
      const lock = await acquireRunLock(busy);
      const wanted = newRun({ runDir: "busy", overwrite: true });
      await expect(registry.create(wanted)).rejects.toThrow(/in use by process \d+/);
      expect(await readdir(busy)).toEqual(["run.lock"]);
      await lock.release();
      const record = { stage: "count", status: "finished", config: {}, startedAt: 0, updatedAt: 0 };
      await writeFile(join(busy, "run.json"), JSON.stringify(record));
      await expect(registry.create(newRun({ runDir: "busy" }))).rejects.toThrow("already holds");
      expect(await readdir(busy)).toEqual(["run.json"]);
      expect(registry.list()).toEqual([]);
    });
  });

  const bad: [string, Partial<NewRun>, RegExp][] = [
    ["an unknown stage", { stage: "fly" }, /must be one of count/],
    ["a wrong config", { config: { steps: 0, colour: 1 } }, /steps is 0[\s\S]*colour/],
    ["a run id that is no name", { runId: "../x" }, /run_id/],
    ["a directory outside the runs folder", { runDir: "../x" }, /run_dir/],
  ];
  for (const [name, change, message] of bad) {
    it(`refuses ${name}`, async () => {
      await withRegistry(async ({ registry }) => {
        await expect(registry.create(newRun(change))).rejects.toThrow(message);
        expect(registry.list()).toEqual([]);
      });
    });
  }

  it("pauses what is working and lets watchers go when it closes", async () => {
    await withRegistry(async ({ registry, contexts }) => {
      await registry.create(newRun());
      const watching = eventKinds(registry, "r1");
      await waitFor(() => contexts.length === 1);
      await registry.close();
      expect(registry.get("r1").state).toBe("paused");
      expect((await watching).at(-1)).toBe("paused");
    });
  });

  it("a run that a living command works on is running elsewhere, until that ends", async () => {
    await withRegistry(async ({ dir }) => {
      const run = await openRun({
        runDir: join(dir, "loop"),
        stage: { name: "count" },
        config: { steps: 3 },
        resume: false,
      });
      const registry = await openRunRegistry({
        stages: [],
        runsDir: dir,
        maxActive: 1,
        eventsKept: 5,
      });
      expect(registry.get("loop")).toMatchObject({ state: "running" });
      expect(registry.get("loop").heldBy).toContain(`process ${process.pid} on `);
      expect(registry.get("loop").error).toBeUndefined();
      await expect(registry.cancel("loop")).rejects.toThrow("running elsewhere: process");
      expect(() => registry.resume("loop")).toThrow("stop it there");
      await run.end({ state: "succeeded", result: { outputs: {}, metrics: { steps: 3 } } });
      await run.close();
      await registry.refresh();
      expect(registry.get("loop")).toMatchObject({ state: "succeeded" });
      expect(registry.get("loop").heldBy).toBeUndefined();
      await registry.close();
    });
  });

  it("finds the runs that an earlier process left", async () => {
    await withRegistry(async ({ dir }) => {
      await mkdir(join(dir, "old"));
      const now = new Date().toISOString();
      const record = {
        formatVersion: 1,
        stage: "count",
        status: "running",
        config: { steps: 3 },
        startedAt: now,
        updatedAt: now,
        attempts: 2,
      };
      await writeFile(join(dir, "old", "run.json"), JSON.stringify(record));
      await mkdir(join(dir, "broken"));
      await writeFile(join(dir, "broken", "run.json"), "{");
      await withStages(dir, async (registry) => {
        expect(registry.list()).toMatchObject([{ runId: "old", state: "failed", attempt: 2 }]);
      });
    });
  });
});

describe("openRunRegistry({ selfHealing })", () => {
  /** Fails as it is told, then works until it is stopped. */
  function stageThat(failures: ErrorCode[]) {
    const contexts: TrainerStageContext[] = [];
    const stage: TrainerStage = {
      name: "count",
      summary: "counts",
      schema,
      async run(_, context) {
        contexts.push(context);
        const code = failures.shift();
        if (code) throw new StagecraftError(code, "for a while");
        await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
        throwIfAborted(context.signal);
        return { outputs: {}, metrics: {} };
      },
    };
    return { stage, contexts };
  }
  const open = (runsDir: string, stage: TrainerStage) =>
    openRunRegistry({
      stages: [stage],
      runsDir,
      maxActive: 1,
      eventsKept: 9,
      selfHealing: true,
      epoch: 7,
    });

  it("goes on with what was working when the process ended, and with nothing else", async () => {
    await using directory = await tempDir();
    const first = stageThat([]);
    const registry = await open(directory.path, first.stage);
    for (const runId of ["r1", "r2", "r3"])
      await registry.create(newRun({ runId, runDir: `dir-${runId}` }));
    await registry.pause("r2");
    await registry.cancel("r3");
    await waitFor(() => first.contexts.length === 1);
    // No close: the process is killed. Its stage never wrote a run.json.
    const second = stageThat([]);
    const next = await open(directory.path, second.stage);
    await waitFor(() => second.contexts.length === 1);
    expect(second.contexts[0]).toMatchObject({ runId: "r1", resume: true, epoch: 7 });
    const states = new Map(next.list().map(({ runId, state }) => [runId, state]));
    expect(Object.fromEntries(states)).toEqual({ r1: "running", r2: "paused", r3: "cancelled" });
    expect(next.get("r1").config).toEqual({ steps: 3 });
    await next.close();
    await registry.close();
  });

  it("tries a failure that passes again, telling it, and leaves others failed", async () => {
    await using directory = await tempDir();
    const { stage, contexts } = stageThat(["resource_exhausted", "data_loss"]);
    await using registry = disposable(await open(directory.path, stage));
    await registry.create(newRun());
    await waitFor(() => registry.get("r1").error?.code === "resource_exhausted");
    expect(registry.get("r1").state).toBe("pending");
    await waitFor(() => registry.get("r1").state === "failed");
    expect(contexts.map(({ resume }) => resume)).toEqual([false, true]);
    expect(registry.get("r1").error?.code).toBe("data_loss");
    registry.resume("r1");
    await waitFor(() => contexts.length === 3);
    expect(registry.get("r1").error).toBeUndefined();
  });
});

describe("a run that takes too much", () => {
  const stageOf = (run: TrainerStage["run"]): TrainerStage => ({
    ...{ name: "count", summary: "counts", run },
    schema: z.strictObject({ batchSize: z.int(), steps: z.int().default(1) }),
  });
  const untilStopped = async ({ signal: stop }: TrainerStageContext) => {
    await new Promise((resolve) => stop.addEventListener("abort", resolve));
    throwIfAborted(stop);
    return { outputs: {}, metrics: {} };
  };
  const open = (runsDir: string, stage: TrainerStage, more: object = {}) =>
    openRunRegistry({
      ...{ stages: [stage], runsDir, maxActive: 2, eventsKept: 9, selfHealing: true },
      ...{ epoch: 7, maxCrashes: 2, ...more },
    });
  const wanted = (runId: string) => newRun({ runId, config: { batchSize: 512 } });

  it("is given up after some attempts, with what to lower, while others go on", async () => {
    await using directory = await tempDir();
    let numAttempts = 0;
    const greedy = stageOf(async (config, context) => {
      if (context.runId === "good") return untilStopped(context);
      numAttempts++;
      const details = { thread: "out_of_memory" };
      throw new StagecraftError("unavailable", "the run thread failed", { details });
    });
    await using registry = disposable(await open(directory.path, greedy));
    await registry.create(wanted("good"));
    await registry.create(wanted("bad"));
    await waitFor(() => registry.get("bad").state === "failed");
    expect(numAttempts).toBe(2);
    const error = registry.get("bad").error!;
    expect(error.code).toBe("resource_exhausted");
    expect(error.message).toMatch(/out of memory.*attempt 2 of 2; lower batchSize \(512\)/);
    expect(error.message).toContain("ResumeRun tries again");
    expect(registry.get("good").state).toBe("running");
    await using next = disposable(
      await open(
        directory.path,
        stageOf((_, c) => untilStopped(c)),
      ),
    );
    expect(next.get("bad")).toMatchObject({ state: "failed", error });
  });

  it("is given up when the process dies under it again and again; those that get further are not", async () => {
    await using directory = await tempDir();
    /** One life of the process; it ends without a close. */
    const live = async () => {
      const began: string[] = [];
      const stage = stageOf((_, context) => {
        began.push(context.runId);
        return untilStopped(context);
      });
      return { began, registry: await open(directory.path, stage) };
    };
    const getFurther = async (runId: string, step: number) => {
      await mkdir(join(directory.path, runId, "checkpoints"), { recursive: true });
      await writeFile(join(directory.path, runId, "checkpoints", "LATEST"), `step-${step}`);
    };
    const first = await live();
    await first.registry.create(wanted("bad"));
    await first.registry.create(wanted("good"));
    await waitFor(() => first.began.length === 2);
    await getFurther("good", 1);

    const second = await live(); // both are under suspicion: one at a time
    await waitFor(() => second.began.length === 1);
    expect(second.began).toEqual(["bad"]);
    expect(second.registry.get("good").state).toBe("pending");

    const third = await live();
    expect(third.registry.get("bad")).toMatchObject({
      state: "failed",
      error: { code: "resource_exhausted" },
    });
    expect(third.registry.get("bad").error!.message).toMatch(
      /died 2 times in a row.*lower batchSize \(512\)/,
    );
    await waitFor(() => third.began.includes("good"));
    await third.registry.create(wanted("new"));
    expect(third.registry.get("new").state).toBe("pending");
    await getFurther("good", 2); // proven: it was not the one
    await waitFor(() => third.began.includes("new"));
    third.registry.resume("bad");
    expect(third.registry.get("bad").state).toBe("pending");
    for (const { registry } of [first, second, third]) await registry.close();
  });
});

function disposable(registry: RunRegistry): RunRegistry & AsyncDisposable {
  return Object.assign(registry, { [Symbol.asyncDispose]: () => registry.close() });
}

async function withStages(dir: string, body: (registry: RunRegistry) => Promise<void>) {
  const registry = await openRunRegistry({ stages: [], runsDir: dir, maxActive: 1, eventsKept: 5 });
  await body(registry);
}
