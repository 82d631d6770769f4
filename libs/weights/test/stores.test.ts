import { createJetStreamBus, createMemoryBus, type EventBus } from "@stagecraft/bus";
import { f32, sha256OfTensors } from "@stagecraft/checkpoint";
import {
  createMemoryWeightStore,
  createObjectWeightStore,
  openWeightStore,
  type WeightStore,
} from "../src/index.js";
import { hasNatsServer, NATS_MISSING, startNatsServer, tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";

const weights = (fill: number, length = 8) =>
  new Map([["w", f32([length], new Float32Array(length).fill(fill))]]);

type Opened = { store: WeightStore } & AsyncDisposable;

/** The contract of WeightStore; every implementation runs it. `open` gives an empty store. */
function describeWeightStore(name: string, open: () => Promise<Opened>): void {
  describe(name, () => {
    it("publishes, fetches by version and hash, and prunes the oldest", async () => {
      await using opened = await open();
      const { store } = opened;
      expect(await store.latest()).toBeUndefined();
      for (const version of [1, 2, 3]) {
        await store.publish(version, weights(version), { step: version * 10 });
      }
      const latest = await store.latest();
      expect(latest).toMatchObject({ version: 3, step: 30, sha256: sha256OfTensors(weights(3)) });
      expect(await store.fetch(3, latest?.sha256)).toEqual(weights(3));
      expect(await store.prune(2)).toEqual([1]);
      await expect(store.fetch(1)).rejects.toMatchObject({ code: "not_found" });
      expect(await store.fetch(2)).toEqual(weights(2));
      expect(await store.prune(1)).toEqual([2]);
      expect((await store.latest())!.version).toBe(3);
    });

    it("never changes a version: the same again is fine, others are refused", async () => {
      await using opened = await open();
      const { store } = opened;
      const first = await store.publish(1, weights(1));
      expect(await store.publish(1, weights(1))).toEqual(first);
      await expect(store.publish(1, weights(2))).rejects.toMatchObject({ code: "already_exists" });
      expect(await store.fetch(1, first.sha256)).toEqual(weights(1));
    });

    it("refuses a hash that was not published, and a version that is none", async () => {
      await using opened = await open();
      const { store } = opened;
      await store.publish(1, weights(1));
      await expect(store.fetch(1, "0".repeat(64))).rejects.toMatchObject({ code: "aborted" });
      await expect(store.fetch(7)).rejects.toMatchObject({ code: "not_found" });
      await expect(store.publish(-1, weights(1))).rejects.toMatchObject({
        code: "invalid_argument",
      });
    });

    it("carries weights of several chunks bit for bit", async () => {
      await using opened = await open();
      const { store } = opened;
      const data = Float32Array.from({ length: 700_001 }, (_, i) => Math.fround(Math.sin(i)));
      const large = new Map([
        ["a", f32([3], Float32Array.of(1, 2, 3))],
        ["b", f32([data.length], data)],
      ]);
      const { sha256, sizeBytes } = await store.publish(5, large);
      expect(sizeBytes).toBeGreaterThan(data.byteLength);
      const fetched = await store.fetch(5, sha256);
      expect([...fetched.keys()].sort()).toEqual(["a", "b"]);
      expect(Buffer.from((fetched.get("b")!.data as Float32Array).buffer).length).toBeGreaterThan(
        0,
      );
      expect(sha256OfTensors(fetched)).toBe(sha256);
    });
  });
}

describeWeightStore("directory", async () => {
  const directory = await tempDir();
  return {
    store: openWeightStore(directory.path),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
});

describeWeightStore("memory", () =>
  Promise.resolve({
    store: createMemoryWeightStore(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }),
);

const openOn = async (bus: EventBus, close: () => PromiseLike<void>): Promise<Opened> => {
  await bus.ensureBucket("weights", { maxBytes: 64 * 1024 * 1024 });
  const store = createObjectWeightStore(await bus.objects("weights"));
  return { store, [Symbol.asyncDispose]: close };
};

describeWeightStore("object store in memory", () => {
  const bus = createMemoryBus();
  return openOn(bus, () => bus.close());
});

describe.skipIf(!hasNatsServer())(`real nats-server (skipped when: ${NATS_MISSING})`, () => {
  describeWeightStore("JetStream object store", async () => {
    const server = await startNatsServer();
    const bus = await createJetStreamBus({ servers: server.url });
    return openOn(bus, async () => {
      await bus.close();
      await server[Symbol.asyncDispose]();
    });
  });

  it("leaves nothing of a version that was pruned", async () => {
    await using server = await startNatsServer();
    await using bus = await createJetStreamBus({ servers: server.url });
    await using opened = await openOn(bus, () => Promise.resolve());
    const tensors = new Map([["w", f32([300_000], new Float32Array(300_000).fill(1))]]);
    for (const version of [1, 2, 3, 4]) {
      await opened.store.publish(version, tensors);
      await opened.store.prune(1);
    }
    // One version of 1.2 MB, and a mark for each deleted object.
    expect((await bus.streamInfo("OBJ_weights")).bytes).toBeLessThan(1_300_000);
  });
});
