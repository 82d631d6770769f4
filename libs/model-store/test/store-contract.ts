import { mkdir, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { pullModel, pushModel, type RemoteStore } from "../src/index.js";

/** Size of parts where the store has no least one. */
export const PART = 64 * 1024;

export type Opened = { store: RemoteStore } & AsyncDisposable;

/** Weights of several parts; the fill tells models apart. */
export async function writeModel(dir: string, fill: number, part = PART): Promise<void> {
  await mkdir(join(dir, "member-1"), { recursive: true });
  const weights = Uint8Array.from({ length: 3 * part + 7 }, (_, i) => (i * 31 + fill) % 251);
  await writeFile(join(dir, "model.safetensors"), weights);
  await writeFile(join(dir, "config.json"), `{"fill":${fill}}`);
  await writeFile(join(dir, "empty.txt"), "");
  await writeFile(join(dir, "member-1/extra.json"), "{}");
}

export async function contentOf(dir: string): Promise<Record<string, string>> {
  const names = await readdir(dir, { recursive: true });
  const entries = await Promise.all(
    names.map(async (name) => {
      const path = join(dir, name);
      if ((await stat(path)).isDirectory()) return [];
      return [[name, (await readFile(path)).toString("base64")] as const];
    }),
  );
  return Object.fromEntries(entries.flat());
}

/** The contract of RemoteStore, through push and pull; `part` is the size of the store's parts. */
export function describeStore(name: string, open: () => Promise<Opened>, part = PART): void {
  const write = (dir: string, fill: number) => writeModel(dir, fill, part);
  describe(name, () => {
    it("a model that is pushed comes back file by file; the same again sends nothing", async () => {
      await using opened = await open();
      await using dir = await tempDir();
      await write(dir.file("model"), 1);
      const { store } = opened;
      const pushed = await pushModel(store, dir.file("model"), { name: "team/assistant" });
      expect(pushed).toMatchObject({ wasThere: false, removed: [] });
      const pulled = await pullModel(store, dir.file("back"), { name: "team/assistant" });
      expect(pulled).toEqual({
        version: pushed.version,
        sizeBytes: pushed.sizeBytes,
        wasThere: false,
      });
      expect(await contentOf(dir.file("back"))).toEqual(await contentOf(dir.file("model")));
      expect(await pushModel(store, dir.file("model"), { name: "team/assistant" })).toMatchObject({
        wasThere: true,
      });
      const again = await pullModel(store, dir.file("back"), { name: "team/assistant" });
      expect(again.wasThere).toBe(true);
      expect((await readdir(dir.path)).sort()).toEqual(["back", "model"]);
    });

    it("a newer version is what the name means; the older one stays until it is pruned", async () => {
      await using opened = await open();
      await using dir = await tempDir();
      const { store } = opened;
      await write(dir.file("one"), 1);
      await write(dir.file("two"), 2);
      const one = await pushModel(store, dir.file("one"), { name: "m" });
      const two = await pushModel(store, dir.file("two"), { name: "m" });
      await pullModel(store, dir.file("old"), { name: "m", version: one.version });
      expect(await contentOf(dir.file("old"))).toEqual(await contentOf(dir.file("one")));
      await expect(pullModel(store, dir.file("old"), { name: "m" })).rejects.toMatchObject({
        code: "already_exists",
      });
      await pullModel(store, dir.file("old"), { name: "m", overwrite: true });
      expect(await contentOf(dir.file("old"))).toEqual(await contentOf(dir.file("two")));
      const pruned = await pushModel(store, dir.file("two"), { name: "m", prune: true });
      expect(pruned).toMatchObject({ version: two.version, removed: [one.version] });
      await expect(
        pullModel(store, dir.file("x"), { name: "m", version: one.version }),
      ).rejects.toMatchObject({ code: "not_found" });
    });

    it("a push that never ended is no model, and the next one goes on with it", async () => {
      await using opened = await open();
      await using dir = await tempDir();
      const { store } = opened;
      await write(dir.file("model"), 3);
      const stop = new AbortController();
      const progress = {
        begin: () => undefined,
        file: () => undefined,
        say: () => undefined,
        add: count,
      };
      let numAdded = 0;
      function count() {
        if (++numAdded === 5) stop.abort(); // within the weights, after the small files
      }
      const pushing = pushModel(store, dir.file("model"), {
        name: "m",
        signal: stop.signal,
        progress,
      });
      await expect(pushing).rejects.toMatchObject({ code: "cancelled" });
      await expect(pullModel(store, dir.file("back"), { name: "m" })).rejects.toMatchObject({
        code: "not_found",
        message: expect.stringContaining("a push that never ended") as string,
      });
      await pushModel(store, dir.file("model"), { name: "m" });
      await pullModel(store, dir.file("back"), { name: "m" });
      expect(await contentOf(dir.file("back"))).toEqual(await contentOf(dir.file("model")));
    });

    it("what is there in part goes on where it ended, and what was changed is never taken for whole", async () => {
      await using opened = await open();
      await using dir = await tempDir();
      const { store } = opened;
      await write(dir.file("model"), 4);
      const { version } = await pushModel(store, dir.file("model"), { name: "m" });
      const whole = await readFile(dir.file("model/model.safetensors"));
      const partial = dir.file(`.back.${version}.partial`);
      await mkdir(partial, { recursive: true });
      const asked: [string, number][] = [];
      const watched: RemoteStore = {
        ...store,
        download: (key, from, how) => {
          asked.push([key.split("/").at(-1)!, from]);
          return store.download(key, from, how);
        },
      };
      await writeFile(join(partial, "model.safetensors"), Buffer.alloc(part + 10, 1));
      await expect(pullModel(watched, dir.file("back"), { name: "m" })).rejects.toMatchObject({
        code: "data_loss",
      });
      await expect(stat(dir.file("back"))).rejects.toThrow();
      await writeFile(join(partial, "model.safetensors"), whole.subarray(0, part + 10));
      await pullModel(watched, dir.file("back"), { name: "m" });
      expect(asked.filter(([name]) => name === "model.safetensors")).toEqual([
        ["model.safetensors", part + 10],
        ["model.safetensors", part + 10],
      ]);
      expect(await contentOf(dir.file("back"))).toEqual(await contentOf(dir.file("model")));
    });

    it("a folder that is no model, and a name that is not there, are told", async () => {
      await using opened = await open();
      await using dir = await tempDir();
      await writeFile(dir.file("notes.txt"), "hello");
      await expect(pushModel(opened.store, dir.path, { name: "m" })).rejects.toMatchObject({
        code: "failed_precondition",
        message: expect.stringContaining("needs config.json and *.safetensors") as string,
      });
      await expect(pullModel(opened.store, dir.file("x"), { name: "m" })).rejects.toMatchObject({
        code: "not_found",
        message: expect.stringContaining("nothing under this name") as string,
      });
    });
  });
}
