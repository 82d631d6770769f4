import { acquireLease, createMemoryBus, ensureTopology, type Lease } from "@stagecraft/bus";
import { f32 } from "@stagecraft/checkpoint";
import { describe, expect, it } from "vitest";
import { WEIGHTS_KEY, weightAnnouncements } from "./announcements.js";
import { createMemoryWeightStore } from "./memory-store.js";
import { openWeightPublisher } from "./publish.js";

const filled = (value: number) => new Map([["w", f32([2], new Float32Array(2).fill(value))]]);

async function createRig() {
  const bus = createMemoryBus();
  const topology = await ensureTopology(bus, "main");
  const store = createMemoryWeightStore();
  const bucket = await bus.keyValue(topology.weightsBucket);
  const open = (lease?: Lease) =>
    openWeightPublisher({ runId: "run1", bus, topology, store, keepWeights: 2, lease });
  const announced = async () => {
    const stop = new AbortController();
    const { signal } = stop;
    for await (const weights of weightAnnouncements(bus, topology.weightsBucket, { signal })) {
      stop.abort();
      return weights;
    }
    return undefined;
  };
  return { bus, bucket, store, open, announced, [Symbol.asyncDispose]: () => bus.close() };
}

describe("openWeightPublisher()", () => {
  it("stores before it announces, and keeps only the newest versions", async () => {
    await using rig = await createRig();
    const publisher = await rig.open();
    for (const step of [5, 6]) await (await publisher.store(filled(step), step)).announce();
    const stored = await publisher.store(filled(7), 7);
    expect(stored).toMatchObject({ version: 3, step: 7 });
    expect(await rig.announced()).toMatchObject({ version: 2, step: 6 });
    await stored.announce();
    expect(await rig.announced()).toEqual({ version: 3, sha256: stored.sha256, step: 7 });
    await expect(rig.store.fetch(1)).rejects.toMatchObject({ code: "not_found" });
    expect(await rig.store.fetch(2)).toEqual(filled(6));
  });

  it("counts on where a former trainer ended, and passes over what another one took", async () => {
    await using rig = await createRig();
    await (await rig.open()).store(filled(1), 0);
    const publisher = await rig.open();
    await rig.store.publish(2, filled(9), { step: 4 });
    expect(await publisher.store(filled(1), 0)).toMatchObject({ version: 3, step: 0 });
  });

  it("publishes nothing once another trainer has taken over, whatever it was about to do", async () => {
    await using rig = await createRig();
    const lease = { key: "trainer", ttlMs: 60_000 };
    const first = await acquireLease(rig.bucket, { ...lease, holder: "first" });
    const older = await rig.open(first);
    await (await older.store(filled(1), 1)).announce();
    const late = await older.store(filled(2), 2);
    const takeOver = { ...lease, holder: "second", takeOver: true };
    const second = await acquireLease(rig.bucket, takeOver);
    const newer = await rig.open(second);
    const before = await rig.bucket.get(WEIGHTS_KEY);
    // It does not know yet: only the revision keeps it from announcing.
    await expect(late.announce()).rejects.toMatchObject({ code: "aborted" });
    expect((await rig.bucket.get(WEIGHTS_KEY))!.revision).toBe(before!.revision);
    await expect(older.store(filled(3), 3)).rejects.toMatchObject({ code: "aborted" });
    await (await newer.store(filled(2), 2)).announce();
    for (const each of [first, second]) await each.release();
  });

  it("says its last word again where the broker has lost it, and tells when the weights are gone too", async () => {
    await using rig = await createRig();
    const publisher = await rig.open();
    await (await publisher.store(filled(1), 1)).announce();
    await rig.bucket.delete(WEIGHTS_KEY);
    expect(await publisher.restore()).toBeUndefined();
    expect(await rig.bucket.get(WEIGHTS_KEY)).toBeDefined();
    rig.store.latest = () => Promise.resolve(undefined);
    expect(await publisher.restore()).toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("weights 1 are gone") as string,
    });
  });
});
