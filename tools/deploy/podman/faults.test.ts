import { describe, expect, it, vi } from "vitest";
import { watchUpdates } from "./faults.mjs";

describe("watchUpdates()", () => {
  it("does what is to happen after its update, and tells the longest wait from then on", async () => {
    let ms = 0;
    const act = vi.fn(async () => undefined);
    const faults = { 2: { what: "nats-1 lost", act }, 5: { what: "policy-2 lost", act } };
    const watch = watchUpdates(faults, () => ms);
    watch.onLine("serving: policy");
    const times = [60_000, 62_000, 64_000, 73_000, 75_000, 76_000];
    for (const [i, at] of times.entries()) {
      ms = at;
      watch.onLine(`update ${i + 1}`);
    }
    expect(act).toHaveBeenCalledTimes(2);
    expect(await watch.stalls()).toEqual([
      { what: "nats-1 lost", seconds: 9 },
      { what: "policy-2 lost", seconds: 1 },
    ]);
  });

  it("fails when something could not be lost", async () => {
    const act = () => Promise.reject(new Error("no such container"));
    const watch = watchUpdates({ 1: { what: "nats-1 lost", act } });
    watch.onLine("update 1");
    await expect(watch.stalls()).rejects.toThrow("no such container");
  });
});
