import { readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createRandom } from "@stagecraft/core";
import { crashAfter, fullAfter, tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { openCheckpoints } from "./checkpoints.js";
import { f32 } from "./tensor-entry.js";

const contentOf = (step: number) => ({
  tensors: new Map([
    ["w", f32([4, 4], new Float32Array(16).fill(step))],
    ["m", f32([3], Float32Array.of(step, 0.1, -0))],
  ]),
  state: { step, random: [1, 2, 3, 4], klCoef: 0.1 + 0.2, ledger: ["a", "b"] },
});

async function flipByte(file: string, at: number): Promise<void> {
  const bytes = await readFile(file);
  bytes[at]! ^= 1 << (at % 8);
  await writeFile(file, bytes);
}

describe("openCheckpoints()", () => {
  it("loads what was saved, keeps the last two and points at the newest", async () => {
    await using dir = await tempDir();
    const store = openCheckpoints(dir.path);
    expect(await store.loadLatest()).toBeUndefined();
    for (const step of [10, 20, 30]) await store.save(step, contentOf(step));
    expect(await store.list()).toEqual([20, 30]);
    expect(await store.loadLatest()).toEqual({ step: 30, ...contentOf(30) });
    expect(await readFile(join(dir.path, "LATEST"), "utf8")).toBe("step-000030\n");
  });

  it("replaces a step that is saved again and forgets the abandoned line above it", async () => {
    await using dir = await tempDir();
    const store = openCheckpoints(dir.path, { keep: 5 });
    for (const step of [10, 20, 30]) await store.save(step, contentOf(step));
    await store.save(20, { ...contentOf(20), state: { again: true } });
    expect(await store.list()).toEqual([10, 20]);
    expect((await store.loadLatest())?.state).toEqual({ again: true });
  });

  it("detects every flipped byte of every file and falls back with a warning", async () => {
    await using dir = await tempDir();
    const warnings: string[] = [];
    const store = openCheckpoints(dir.path, { onWarning: (message) => warnings.push(message) });
    await store.save(1, contentOf(1));
    await store.save(2, contentOf(2));
    for (const name of ["tensors.safetensors", "state.json", "manifest.json"]) {
      const file = join(dir.path, "step-000002", name);
      const { length } = await readFile(file);
      for (let at = 0; at < length; at++) {
        await flipByte(file, at);
        expect((await store.loadLatest())?.step, `${name} byte ${at}`).toBe(1);
        await flipByte(file, at);
      }
      expect(warnings.at(-1)).toContain(name);
    }
    expect((await store.loadLatest())?.step).toBe(2);
  });

  it("falls back over truncated, missing and swapped files", async () => {
    await using dir = await tempDir();
    const random = createRandom(3);
    const store = openCheckpoints(dir.path, { keep: 3 });
    for (const step of [1, 2, 3]) await store.save(step, contentOf(step));
    const newest = join(dir.path, "step-000003");
    await truncate(join(newest, "tensors.safetensors"), random.nextInt(200));
    expect((await store.loadLatest())?.step).toBe(2);
    await rm(join(dir.path, "step-000002", "state.json"));
    expect((await store.loadLatest())?.step).toBe(1);
    await rm(join(dir.path, "step-000001", "manifest.json"));
    await expect(store.loadLatest()).rejects.toThrow(
      /\[data_loss\] every checkpoint .* is damaged/,
    );
  });

  it("takes the newest whole one when the pointer is damaged", async () => {
    await using dir = await tempDir();
    const warnings: string[] = [];
    const store = openCheckpoints(dir.path, { onWarning: (message) => warnings.push(message) });
    await store.save(1, contentOf(1));
    await store.save(2, contentOf(2));
    await writeFile(join(dir.path, "LATEST"), "step-00\0");
    expect((await store.loadLatest())?.step).toBe(2);
    expect(warnings).toHaveLength(1);
  });

  it("loses nothing when the process dies at any operation of a save", async () => {
    for (let allowed = 0; ; allowed++) {
      await using dir = await tempDir();
      await openCheckpoints(dir.path).save(1, contentOf(1));
      await openCheckpoints(dir.path).save(2, contentOf(2));
      const fileSystem = crashAfter(allowed);
      const finished = await openCheckpoints(dir.path, { fileSystem })
        .save(3, contentOf(3))
        .then(
          () => true,
          () => false,
        );
      const store = openCheckpoints(dir.path);
      const loaded = await store.loadLatest();
      expect([2, 3], `crash at ${allowed}`).toContain(loaded?.step);
      expect(loaded).toEqual({ step: loaded!.step, ...contentOf(loaded!.step) });
      await store.save(3, contentOf(3));
      const names = (await readdir(dir.path)).sort();
      expect(names).toEqual(["LATEST", "step-000002", "step-000003"]);
      if (finished) break;
    }
  });

  it("keeps the last checkpoint on a full disk and goes on when there is space again", async () => {
    await using dir = await tempDir();
    await openCheckpoints(dir.path).save(1, contentOf(1));
    const full = openCheckpoints(dir.path, { fileSystem: fullAfter(100) });
    await expect(full.save(2, contentOf(2))).rejects.toThrow(/\[resource_exhausted\].*step-000002/);
    const store = openCheckpoints(dir.path);
    expect((await store.loadLatest())?.step).toBe(1);
    await store.save(2, contentOf(2));
    expect((await store.loadLatest())?.step).toBe(2);
  });

  it("refuses keep below two, negative steps and numbers that JSON cannot hold", async () => {
    await using dir = await tempDir();
    expect(() => openCheckpoints(dir.path, { keep: 1 })).toThrow("keep must be");
    const store = openCheckpoints(dir.path);
    await expect(store.save(-1, contentOf(1))).rejects.toThrow("step must be");
    const bad = { tensors: new Map(), state: { loss: NaN } };
    await expect(store.save(1, bad)).rejects.toThrow("state field loss is NaN");
  });
});
