import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { f32, sha256OfTensors } from "@stagecraft/checkpoint";
import { crashAfter, tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { openWeightStore } from "./directory-store.js";

const weights = (fill: number) => new Map([["w", f32([8], new Float32Array(8).fill(fill))]]);

describe("openWeightStore()", () => {
  it("publishes, fetches by version and hash, and prunes the oldest", async () => {
    await using dir = await tempDir();
    const store = openWeightStore(dir.path);
    expect(await store.latest()).toBeUndefined();
    for (const version of [1, 2, 3]) {
      await store.publish(version, weights(version), { step: version * 10 });
    }
    const latest = await store.latest();
    expect(latest).toMatchObject({ version: 3, step: 30, sha256: sha256OfTensors(weights(3)) });
    expect(await store.fetch(3, latest?.sha256)).toEqual(weights(3));
    expect(await store.prune(2)).toEqual([1]);
    await expect(store.fetch(1)).rejects.toThrow("[not_found] no weights of version 1");
    expect(await store.fetch(2)).toEqual(weights(2));
  });

  it("never changes a version: the same again is fine, others are refused", async () => {
    await using dir = await tempDir();
    const store = openWeightStore(dir.path);
    const first = await store.publish(1, weights(1));
    expect(await store.publish(1, weights(1))).toEqual(first);
    await expect(store.publish(1, weights(2))).rejects.toThrow("[already_exists]");
    expect(await store.fetch(1, first.sha256)).toEqual(weights(1));
  });

  it("refuses a hash that was not published and damaged files", async () => {
    await using dir = await tempDir();
    const store = openWeightStore(dir.path);
    await store.publish(1, weights(1));
    await expect(store.fetch(1, "0".repeat(64))).rejects.toThrow("[aborted]");
    const file = join(dir.path, "v-000001/weights.safetensors");
    const bytes = await readFile(file);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(file, bytes);
    await expect(store.fetch(1)).rejects.toThrow(/\[data_loss\].*sha256 differs/);
  });

  it("hashes weights larger than one turn's share to the same sum", async () => {
    await using dir = await tempDir();
    const values = Float32Array.from({ length: 5 * 1024 * 1024 + 3 }, (_, i) => i);
    const large = new Map([["w", f32([values.length], values)]]);
    const { sha256 } = await openWeightStore(dir.path).publish(1, large);
    expect(sha256).toBe(sha256OfTensors(large));
    expect((await openWeightStore(dir.path).fetch(1, sha256)).size).toBe(1);
  });

  it("never shows a version whose publishing crashed", async () => {
    await using dir = await tempDir();
    await openWeightStore(dir.path).publish(1, weights(1));
    for (let allowed = 0; ; allowed++) {
      const fileSystem = crashAfter(allowed);
      const finished = await openWeightStore(dir.path, { fileSystem })
        .publish(2, weights(2))
        .then(
          () => true,
          () => false,
        );
      const reader = openWeightStore(dir.path);
      const version = (await reader.latest())!.version;
      expect(await reader.fetch(version)).toEqual(weights(version));
      if (finished) break;
    }
  });
});
