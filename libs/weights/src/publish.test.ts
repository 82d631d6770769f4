import { acquireLease, createMemoryBus, ensureTopology, type Lease } from "@stagecraft/bus";
import { f32 } from "@stagecraft/checkpoint";
import { describe, expect, it } from "vitest";
import { WEIGHTS_KEY, weightAnnouncements } from "./announcements.js";
import { createMemoryWeightStore } from "./memory-store.js";
import { createObjectWeightStore } from "./object-store.js";
import { openWeightPublisher, type PublisherOptions } from "./publish.js";
import type { WeightStore } from "./weight-store.js";

const filled = (value: number) => new Map([["w", f32([2], new Float32Array(2).fill(value))]]);

async function createRig(given?: { weightsMaxBytes?: number; objects: true }) {
  const bus = createMemoryBus();
  const topology = await ensureTopology(bus, "main", given);
  const objects = await bus.objects(topology.weightsBucket);
  const store = given ? createObjectWeightStore(objects) : createMemoryWeightStore();
  const bucket = await bus.keyValue(topology.weightsBucket);
  const open = (lease?: Lease, more: Partial<PublisherOptions> = {}) =>
    openWeightPublisher({ runId: "run1", bus, topology, store, keepWeights: 2, lease, ...more });
  const announced = async () => {
    const stop = new AbortController();
    const { signal } = stop;
    for await (const weights of weightAnnouncements(bus, topology.weightsBucket, { signal })) {
      stop.abort();
      return weights;
    }
    return undefined;
  };
  const info = () => bus.streamInfo(`OBJ_${topology.weightsBucket}`);
  return { bus, bucket, store, open, announced, info, [Symbol.asyncDispose]: () => bus.close() };
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

describe("room for weights", () => {
  const MIB = 1024 * 1024;
  const large = (value: number) => {
    return new Map([["w", f32([6 * MIB], new Float32Array(6 * MIB).fill(value))]]);
  };

  it("a fourth version fits where three are kept: the oldest goes before it comes", async () => {
    await using rig = await createRig({ weightsMaxBytes: 90 * MIB, objects: true });
    const publisher = await rig.open(undefined, { keepWeights: 3 });
    for (const step of [1, 2, 3, 4]) await (await publisher.store(large(step), step)).announce();
    expect(await rig.store.latest()).toMatchObject({ version: 4 });
    await expect(rig.store.fetch(1)).rejects.toMatchObject({ code: "not_found" });
    expect((await rig.info()).bytes).toBeGreaterThan(3 * 24 * MIB);
    expect((await rig.info()).maxBytes).toBe(90 * MIB);
  });

  it("is made before the first version, and follows the model", async () => {
    await using rig = await createRig({ objects: true });
    const weights = new Map([["w", f32([2], Float32Array.of(1, 2))]]);
    const objects = await rig.bus.objects("weights_main");
    const asked: number[] = [];
    const store: WeightStore = {
      ...createObjectWeightStore(objects),
      reserve: (bytes, { grow }) => {
        expect(grow).toBe(true);
        asked.push(bytes);
        return objects.reserve(5 * 1024 * MIB, { grow });
      },
    };
    const publisher = await rig.open(undefined, { store, keepWeights: 4 });
    await publisher.store(weights, 0);
    await publisher.store(weights, 1);
    expect(asked).toEqual([Math.ceil(4 * 8 * 1.01) + 16 * MIB]);
    expect((await rig.info()).maxBytes).toBe(5 * 1024 * MIB);
  });

  it("that was set and is too small is told before anything is stored, with what to set", async () => {
    await using rig = await createRig({ weightsMaxBytes: 60 * MIB, objects: true });
    const publisher = await rig.open(undefined, { keepWeights: 3 });
    await expect(publisher.store(large(1), 0)).rejects.toMatchObject({
      code: "failed_precondition",
      message: expect.stringMatching(
        /3 versions of weights of 24 MiB: bucket weights_main holds 60.0 MiB, 88.7 MiB are needed; set weightsMaxMb to 89/,
      ) as string,
    });
    expect((await rig.info()).messages).toBe(0);
  });

  it("the version in use stays, though a newer one was never announced", async () => {
    await using rig = await createRig();
    await (await (await rig.open()).store(filled(1), 1)).announce();
    await (await rig.open()).store(filled(2), 2);
    await (await rig.open()).store(filled(3), 3);
    expect(await rig.store.fetch(1)).toEqual(filled(1));
    await expect(rig.store.fetch(2)).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("weightsDtype", () => {
  it("bf16 halves what is stored and serves the rounded weights, in every store", async () => {
    const trained = new Map([["w", f32([4], Float32Array.of(1, 1.001, -3.14159, 1e-40))]]);
    const served = [1, 1, -3.140625, 2 ** -133];
    for (const given of [undefined, { objects: true } as const]) {
      await using rig = await createRig(given);
      const publisher = await rig.open(undefined, { weightsDtype: "bf16" });
      const { sizeBytes } = await publisher.store(trained, 0);
      const plain = await (await rig.open()).store(trained, 1);
      expect(plain.sizeBytes - sizeBytes).toBe(8);
      const { data } = (await rig.store.fetch(1)).get("w")!;
      expect([...(data as Float32Array)]).toEqual(served);
      expect([...(trained.get("w")!.data as Float32Array)][1]).toBe(Math.fround(1.001));
    }
  });
});
