import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { StagecraftError } from "@stagecraft/core";
import { createMetrics, METRICS } from "@stagecraft/telemetry";
import { waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { applySample, forwardMetrics } from "../src/thread/forward-metrics.js";
import { watchHeartbeat } from "../src/thread/heartbeat.js";
import { preloadFlags } from "../src/thread/preload-flags.js";
import { startThread, type StartThreadOptions } from "../src/thread/start-thread.js";

const module = new URL("./echo-thread.mjs", import.meta.url);
const built = existsSync(fileURLToPath(new URL("../dist/index.js", import.meta.url)));

type EchoApi = {
  echo(value: unknown): Promise<unknown>;
  double(values: Float32Array): Promise<Float32Array>;
  refuse(nothing: undefined): Promise<never>;
  untilCancelled(nothing: undefined): Promise<never>;
  askOwner(question: string): Promise<void>;
  tell(event: string): Promise<void>;
  block(ms: number): Promise<void>;
  count(steps: number): Promise<void>;
  exhaust(nothing: undefined): Promise<never>;
  crash(nothing: undefined): Promise<never>;
};

function startEcho(change: Partial<StartThreadOptions<unknown, string, string>> = {}) {
  return startThread<unknown, EchoApi, { name: string }, string, string>({
    name: "echo",
    module,
    data: { name: "Echo" },
    ...change,
  });
}

describe.skipIf(!built)(`startThread()${built ? "" : ": not built (npm run build)"}`, () => {
  it("answers calls and takes buffers over instead of copying them", async () => {
    await using thread = await startEcho();
    expect(thread.facts).toEqual({ name: "Echo" });
    expect(await thread.call("echo", { a: [1, new Int32Array([2])] })).toEqual({
      a: [1, new Int32Array([2])],
    });
    const values = new Float32Array([1, 2]);
    const doubled = await thread.call("double", values, { transfer: [values.buffer] });
    expect(doubled).toEqual(new Float32Array([2, 4]));
    expect(values.length).toBe(0); // gone over
  });

  it("throws what the thread threw: code, reason and details", async () => {
    await using thread = await startEcho();
    const refused = thread.call("refuse", undefined);
    await expect(refused).rejects.toMatchObject({ code: "not_found", details: { place: "here" } });
    await expect(startEcho({ data: { broken: true } })).rejects.toThrow("cannot be set up");
  });

  it("passes cancellation on, and events back", async () => {
    const heard: string[] = [];
    await using thread = await startEcho({ onEvent: (event) => heard.push(event) });
    const controller = new AbortController();
    const waiting = thread.call("untilCancelled", undefined, { signal: controller.signal });
    const details = { stopAs: "paused" };
    controller.abort(new StagecraftError("cancelled", "later", { details }));
    await expect(waiting).rejects.toMatchObject({ code: "cancelled", details });
    await thread.call("tell", "hello");
    expect(heard).toEqual(["hello"]);
  });

  it("is told what to do without an answer; failing at it ends the thread", async () => {
    const heard: string[] = [];
    const thread = await startEcho({ onEvent: (event) => heard.push(event) });
    thread.tell("tell", "first");
    await thread.call("echo", 0);
    expect(heard).toEqual(["first"]);
    thread.tell("refuse", undefined);
    expect(await thread.ended).toMatchObject({ code: "unavailable" });
    expect(() => thread.tell("tell", "late")).toThrow("[unavailable]");
    expect(heard).toEqual(["first"]);
  });

  it("asks its owner, who may refuse", async () => {
    await using thread = await startEcho({
      onAsk: async (question) => {
        if (question !== "may I?") throw new StagecraftError("aborted", `no: ${question}`);
      },
    });
    await thread.call("askOwner", "may I?");
    const refused = thread.call("askOwner", "must I?");
    await expect(refused).rejects.toMatchObject({ code: "aborted", reason: "no: must I?" });
  });

  it("fails every call with UNAVAILABLE when the thread crashes, and says why", async () => {
    await using thread = await startEcho();
    const health: boolean[] = [];
    thread.onHealth((healthy) => health.push(healthy));
    const other = thread.call("untilCancelled", undefined);
    const crashing = thread.call("crash", undefined);
    await expect(crashing).rejects.toMatchObject({ code: "unavailable" });
    await expect(other).rejects.toThrow(/echo thread failed: boom/);
    expect((await thread.ended)?.reason).toMatch(/boom/);
    await expect(thread.call("echo", 1)).rejects.toMatchObject({ code: "unavailable" });
    expect(health).toEqual([true, false]);
  });

  it("ends alone when its heap is full, and says that this was it", async () => {
    await using other = await startEcho();
    await using thread = await startEcho({ maxHeapMb: 24 });
    await expect(thread.call("exhaust", undefined)).rejects.toMatchObject({
      code: "unavailable",
      details: { thread: "out_of_memory" },
    });
    expect((await thread.ended)?.reason).toMatch(/memory limit/);
    expect(await other.call("echo", 1)).toBe(1);
    expect(thread.threadId).not.toBe(other.threadId);
  });

  it("reports a stuck thread as unhealthy until it moves again", async () => {
    await using thread = await startEcho({ stuckAfterMs: 300 });
    const health: boolean[] = [];
    thread.onHealth((healthy) => health.push(healthy));
    await thread.call("block", 1500);
    await waitFor(() => health.length >= 3);
    expect(health).toEqual([true, false, true]);
  });

  it("keeps the thread's metrics in the owner's", async () => {
    const metrics = createMetrics({ service: "test" });
    await using thread = await startEcho({ metrics });
    await thread.call("count", 3);
    expect(await metrics.text()).toMatch(/stagecraft_policy_steps_total\{.*\} 3/);
  });

  it("shows the heap of the thread while there is one", async () => {
    const metrics = createMetrics({ service: "test" });
    const thread = await startEcho({ metrics });
    const live = async () => {
      const text = await metrics.text();
      return Number(/process_heap_live_bytes\{thread="worker",.*\} (\d+)/.exec(text)?.[1]);
    };
    expect(await live()).toBeGreaterThan(1e6);
    await thread.close();
    expect(await live()).toBe(0);
  });

  it("ends in good order, with nothing to report", async () => {
    const thread = await startEcho();
    await thread.close();
    expect(await thread.ended).toBeUndefined();
    await expect(thread.call("echo", 1)).rejects.toThrow(/was closed/);
  });
});

describe("forwardMetrics()", () => {
  it("has the same effect on the owner's metrics as on its own", async () => {
    const direct = createMetrics({ service: "test" });
    const owners = createMetrics({ service: "test" });
    const forwarded = forwardMetrics((sample) => applySample(owners, structuredClone(sample)));
    for (const metrics of [direct, forwarded]) {
      metrics.counter(METRICS.policyTokens).add({ phase: "prompt" }, 3);
      metrics.counter(METRICS.busySeconds).add({});
      metrics.gauge(METRICS.policyWeightVersion).set({}, 7);
      metrics.gauge(METRICS.policyActiveSequences).add({}, -2);
      metrics.histogram(METRICS.policyFirstToken).observe({}, 0.2);
    }
    const own = (text: string) => text.split("\n").filter((line) => /policy_|busy_/.test(line));
    expect(own(await owners.text())).toEqual(own(await direct.text()));
    expect(own(await owners.text()).length).toBeGreaterThan(5);
  });
});

describe("preloadFlags()", () => {
  it("keeps preloads with their values and nothing else", () => {
    const flags = [
      "--conditions",
      "x",
      "--import",
      "a.mjs",
      "--max-old-space-size=9",
      "--import=b",
    ];
    expect(preloadFlags(flags)).toEqual(["--import", "a.mjs", "--import=b"]);
  });
});

describe("watchHeartbeat()", () => {
  it("turns unhealthy after the stated silence and healthy at the next beat", () => {
    let now = 0;
    const health: boolean[] = [];
    const heartbeat = watchHeartbeat({ stuckAfterMs: 1000, now: () => now });
    heartbeat.onChange((healthy) => health.push(healthy));
    now = 1000;
    heartbeat.check();
    expect(health).toEqual([true]);
    now = 1001;
    heartbeat.check();
    heartbeat.check();
    expect(health).toEqual([true, false]);
    heartbeat.beat();
    expect(health).toEqual([true, false, true]);
    heartbeat.stop();
    heartbeat.beat();
    expect(health).toEqual([true, false, true, false]);
  });
});
