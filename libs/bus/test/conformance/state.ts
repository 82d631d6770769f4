import { waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { bytes, text, type BusKit } from "./kit.js";

/** Small values, large objects, broadcasts. */
export function describeState(kit: BusKit): void {
  describe("keyValue()", () => {
    it("puts, gets, deletes and guards updates by revision", async () => {
      await kit.bus.ensureBucket("state");
      const kv = await kit.bus.keyValue("state");
      expect(await kv.get("epoch")).toBeUndefined();
      const first = await kv.update("epoch", bytes("1"), 0);
      const second = await kv.update("epoch", bytes("2"), first);
      expect(second).toBeGreaterThan(first);
      for (const stale of [0, first]) {
        await expect(kv.update("epoch", bytes("x"), stale)).rejects.toMatchObject({
          code: "aborted",
        });
      }
      expect(text((await kv.get("epoch"))!.value)).toBe("2");
      await kv.delete("epoch");
      expect(await kv.get("epoch")).toBeUndefined();
    });

    it("watches a key: the value now, then every newest one", async () => {
      await kit.bus.ensureBucket("watched");
      const kv = await kit.bus.keyValue("watched");
      await kv.put("latest", bytes("1"));
      await kv.put("other", bytes("no"));
      const stop = new AbortController();
      const seen: string[] = [];
      const watching = (async () => {
        for await (const { value } of kv.watch("latest", stop.signal)) seen.push(text(value));
      })();
      await waitFor(() => seen.includes("1"));
      await kv.put("latest", bytes("2"));
      await waitFor(() => seen.includes("2"));
      stop.abort();
      await watching;
      expect(seen).toEqual(["1", "2"]);
    });
  });

  describe("objects()", () => {
    it("stores and returns content of several chunks with its sha256", async () => {
      await kit.bus.ensureBucket("models", { maxBytes: 64 * 1024 * 1024 });
      const store = await kit.bus.objects("models");
      const content = Uint8Array.from({ length: 1_300_000 }, (_, i) => (i * 31) % 251);
      const info = await store.put("weights 7", content);
      expect(info.sizeBytes).toBe(content.length);
      const found = await store.get("weights 7");
      expect(found!.info).toEqual(info);
      const parts: Uint8Array[] = [];
      for await (const chunk of found!.chunks) parts.push(chunk);
      expect(parts.length).toBeGreaterThan(2);
      expect(Buffer.concat(parts).equals(content)).toBe(true);
    });

    it("replaces, lists and deletes, leaving no chunks behind", async () => {
      await kit.bus.ensureBucket("small", { maxBytes: 8 * 1024 * 1024 });
      const store = await kit.bus.objects("small");
      await store.put("a", bytes("first"));
      await store.put("a", bytes("second"));
      await store.put("empty", new Uint8Array(0));
      expect((await store.list()).map(({ name }) => name).sort()).toEqual(["a", "empty"]);
      const { chunks } = (await store.get("a"))!;
      for await (const chunk of chunks) expect(text(chunk)).toBe("second");
      await store.delete("a");
      expect(await store.get("a")).toBeUndefined();
      expect(await store.get("never")).toBeUndefined();
      // Two manifests: of the empty one and of the deleted one.
      expect((await kit.bus.streamInfo("OBJ_small")).messages).toBe(2);
    });

    it("leaves the old content in place when a put fails", async () => {
      await kit.bus.ensureBucket("safe", { maxBytes: 8 * 1024 * 1024 });
      const store = await kit.bus.objects("safe");
      await store.put("a", bytes("good"));
      async function* broken() {
        yield new Uint8Array(600_000);
        await Promise.resolve();
        throw new Error("disk gone");
      }
      await expect(store.put("a", broken())).rejects.toThrow("disk gone");
      for await (const chunk of (await store.get("a"))!.chunks) {
        expect(text(chunk)).toBe("good");
      }
      expect((await kit.bus.streamInfo("OBJ_safe")).messages).toBe(2);
    });
  });

  describe("the size of a bucket", () => {
    const MIB = 1024 * 1024;
    const sizeOf = async (bucket: string) => (await kit.bus.streamInfo(`OBJ_${bucket}`)).maxBytes;

    it("stays what it has become where nobody sets it", async () => {
      await kit.bus.ensureBucket("grown", { maxBytes: MIB });
      const store = await kit.bus.objects("grown");
      await store.reserve(3 * MIB, { grow: true });
      expect(await kit.bus.ensureBucket("grown", {})).toBe("unchanged");
      expect(await sizeOf("grown")).toBe(3 * MIB);
      await store.reserve(2 * MIB, { grow: true });
      expect(await sizeOf("grown")).toBe(3 * MIB);
      await store.put("large", new Uint8Array(2 * MIB));
    });

    it("is named where it is too small and set", async () => {
      await kit.bus.ensureBucket("fixed", { maxBytes: MIB });
      const store = await kit.bus.objects("fixed");
      await expect(store.reserve(2 * MIB, { grow: false })).rejects.toMatchObject({
        code: "failed_precondition",
        message: expect.stringMatching(/holds 1\S* MiB, 2\S* MiB are needed/) as string,
      });
      expect(await sizeOf("fixed")).toBe(MIB);
    });

    it("is freed of what a killed process has put half", async () => {
      await kit.bus.ensureBucket("swept", { maxBytes: MIB });
      const store = await kit.bus.objects("swept");
      await store.put("a", bytes("whole"));
      await kit.bus.publish("$O.swept.C.killed", new Uint8Array(9000), { id: "killed.0" });
      expect(await store.sweep()).toBe(1);
      expect(await store.sweep()).toBe(0);
      for await (const chunk of (await store.get("a"))!.chunks) expect(text(chunk)).toBe("whole");
      expect((await kit.bus.streamInfo("OBJ_swept")).messages).toBe(2);
    });
  });

  describe("broadcast() and listen()", () => {
    it("reaches listeners by pattern and drops the oldest for slow ones", async () => {
      await using all = await kit.bus.listen("stagecraft.*.progress", { maxQueued: 2 });
      for (const n of ["1", "2", "3"]) kit.bus.broadcast("stagecraft.r1.progress", bytes(n));
      kit.bus.broadcast("stagecraft.r1.other", bytes("no"));
      await waitFor(() => all.numDropped() === 1);
      const seen: string[] = [];
      for await (const { data } of all) {
        seen.push(text(data));
        if (seen.length === 2) break;
      }
      expect(seen).toEqual(["2", "3"]);
    });
  });
}
