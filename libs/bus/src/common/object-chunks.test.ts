import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { storeChunks } from "./object-chunks.js";

const CHUNK = 512 * 1024;
const content = Uint8Array.from({ length: 3 * CHUNK + 5 }, (_, i) => (i * 7) % 251);

/** A store that confirms the chunks of its first attempt in the order that is given. */
function createStore(firstOrder: readonly number[] = []) {
  const kept = new Map<string, Uint8Array[]>();
  let inFlight = 0;
  const seen = { most: 0, attempts: [] as string[] };
  return {
    kept,
    seen,
    async store(id: string, chunk: Uint8Array, nuid: string) {
      seen.most = Math.max(seen.most, ++inFlight);
      if (!seen.attempts.includes(nuid)) seen.attempts.push(nuid);
      const index = Number(id.split(".")[1]);
      const order = seen.attempts.length === 1 ? firstOrder : [];
      kept.set(nuid, [...(kept.get(nuid) ?? []), chunk]);
      await turn();
      inFlight--;
      return 1 + (order[index] ?? index);
    },
    drop: (nuid: string) => Promise.resolve(void kept.delete(nuid)),
  };
}

describe("storeChunks()", () => {
  it("has several chunks on their way where the content can be read again", async () => {
    const store = createStore();
    const stored = await storeChunks(() => [content], store);
    const sha256 = createHash("sha256").update(content).digest();
    expect(stored).toMatchObject({ size: content.length, chunks: 4, sha256 });
    expect(store.seen.most).toBeGreaterThan(1);
  });

  it("stores all again, one at a time, when the repeat of a lost chunk was overtaken", async () => {
    const store = createStore([0, 2, 1, 3]);
    const { nuid, chunks } = await storeChunks(content, store);
    expect(store.seen.attempts).toHaveLength(2);
    expect([...store.kept.keys()]).toEqual([nuid]);
    expect(Buffer.concat(store.kept.get(nuid)!).equals(content)).toBe(true);
    expect(chunks).toBe(4);
  });

  it("leaves no chunks behind when one of them cannot be stored", async () => {
    const store = createStore();
    const failing = {
      ...store,
      store: (id: string, chunk: Uint8Array, nuid: string) =>
        id.endsWith(".2") ? Promise.reject(new Error("full")) : store.store(id, chunk, nuid),
    };
    await expect(storeChunks(content, failing)).rejects.toThrow("full");
    expect(store.kept.size).toBe(0);
  });
});
