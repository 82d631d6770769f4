import { StagecraftError } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import { createMemoryBus } from "../memory/memory-bus.js";
import { createObjectStore } from "./objects.js";

/** An object store over a memory bus whose broker answers the first removals too late. */
async function openWithLatePurges(numLate: number) {
  const bus = createMemoryBus();
  await bus.ensureBucket("b", { maxBytes: 1024 * 1024 });
  const removed: string[] = [];
  const manifest = { name: "w", nuid: "n", size: 1, chunks: 1, digest: "SHA-256=", bucket: "b" };
  const broker = {
    read: () =>
      Promise.resolve({
        ...{ subject: "", headers: {}, sequence: 1, storedAtMs: 0 },
        data: Buffer.from(JSON.stringify(manifest)),
      }),
    purge: (_stream: string, subject: string) => {
      removed.push(subject);
      if (removed.length > numLate) return Promise.resolve();
      return Promise.reject(new StagecraftError("unavailable", "purge OBJ_b: TIMEOUT"));
    },
    resize: () => Promise.resolve(),
    subjects: () => Promise.resolve([]),
    streamInfo: (stream: string) => bus.streamInfo(stream),
  };
  const store = createObjectStore("b", broker, (...args) => bus.publish(...args));
  return { store, removed };
}

describe("createObjectStore()", () => {
  it("removing a large object goes on when the broker answers too late", async () => {
    const { store, removed } = await openWithLatePurges(2);
    await store.delete("w");
    expect(removed).toEqual(["$O.b.C.n", "$O.b.C.n", "$O.b.C.n"]);
  });
});
