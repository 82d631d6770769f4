import { gate, waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { StagecraftError } from "@stagecraft/core";
import type { KeyValue } from "./bus.js";
import { acquireLease, type LeaseOptions } from "./lease.js";
import { createMemoryBus } from "./memory/memory-bus.js";

async function openKeyValue(): Promise<KeyValue> {
  const bus = createMemoryBus();
  await bus.ensureBucket("b");
  return bus.keyValue("b");
}

const acquire = (kv: KeyValue, holder: string, more: Partial<LeaseOptions> = {}) =>
  acquireLease(kv, { key: "lease", holder, ttlMs: 200, ...more });

/** A process that was stopped: no renewal arrives, and its clock runs on. */
function freezable(kv: KeyValue): KeyValue & { freeze(): void; thaw(): void } {
  let thawed = gate();
  thawed.open();
  const held = async <T>(work: () => Promise<T>) => {
    await thawed.opened;
    return work();
  };
  return {
    ...kv,
    get: (key) => held(() => kv.get(key)),
    update: (key, value, expected) => held(() => kv.update(key, value, expected)),
    freeze: () => (thawed = gate()),
    thaw: () => thawed.open(),
  };
}

describe("acquireLease()", () => {
  it("is held by one, and passes on when it is given back, with a larger number", async () => {
    const kv = await openKeyValue();
    const first = await acquire(kv, "one");
    let second: Awaited<ReturnType<typeof acquire>> | undefined;
    const waiting = acquire(kv, "two").then((lease) => (second = lease));
    // Three of its own terms pass: it is renewed.
    await waitFor(async () => (await kv.get("lease"))!.revision > 10);
    expect(second).toBeUndefined();
    await first.confirm();
    await first.release();
    await expect(first.confirm()).rejects.toMatchObject({ code: "aborted" });
    await waiting;
    expect([first.epoch, second!.epoch]).toEqual([1, 2]);
    await second!.release();
  });

  it("goes to another when its holder is stopped past its time, who learns of it at once", async () => {
    const kv = await openKeyValue();
    const stopped = freezable(kv);
    const older = await acquire(stopped, "older");
    stopped.freeze();
    const newer = await acquire(kv, "newer");
    const confirming = older.confirm();
    stopped.thaw();
    await expect(confirming).rejects.toThrow(/newer has taken over lease lease as number 2/);
    expect(older.lost.aborted).toBe(true);
    await newer.confirm();
    await older.release();
    await newer.confirm(); // what the older one gives back is not the newer one's
    await newer.release();
  });

  it("goes on at once from a dead holder, and from a living one when told to", async () => {
    const kv = await openKeyValue();
    const ttlMs = 3600_000;
    await acquire(kv, "dead", { ttlMs });
    const isGone = (holder: string) => Promise.resolve(holder === "dead");
    const alive = await acquire(kv, "alive", { ttlMs, isGone });
    const usurper = await acquire(kv, "usurper", { ttlMs: 200, takeOver: true, isGone });
    expect([alive.epoch, usurper.epoch]).toEqual([2, 3]);
    await waitFor(() => alive.lost.aborted); // long before its time is over
    await expect(alive.confirm({ fresh: true })).rejects.toMatchObject({ code: "aborted" });
    await usurper.confirm();
    await usurper.release();
  });

  it("survives renewals whose answer was lost and a broker that forgot them", async () => {
    const kv = await openKeyValue();
    let fault: "" | "lost answer" | "away" = "";
    const flaky: KeyValue = {
      ...kv,
      async update(key, value, expected) {
        const revision = await kv.update(key, value, expected);
        if (fault === "") return revision;
        throw new StagecraftError("unavailable", fault);
      },
    };
    const lease = await acquire(flaky, "one");
    fault = "lost answer";
    const { revision } = (await kv.get("lease"))!;
    await waitFor(async () => (await kv.get("lease"))!.revision > revision);
    fault = "";
    await waitFor(async () => (await kv.get("lease"))!.revision > revision + 2);
    await lease.confirm();
    const early = { epoch: 0, holder: "x", token: "x", ttlMs: 1 };
    await kv.put("lease", new TextEncoder().encode(JSON.stringify(early)));
    const forgotten = (await kv.get("lease"))!.revision;
    await waitFor(async () => (await kv.get("lease"))!.revision > forgotten);
    await lease.confirm();
    await lease.release();
  });

  it("stops waiting on the signal", async () => {
    const kv = await openKeyValue();
    await using _ = await acquire(kv, "one");
    const stop = new AbortController();
    const waiting = acquire(kv, "two", { signal: stop.signal });
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
  });
});
