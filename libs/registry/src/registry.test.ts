import { mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { f32, writeModelDirectory } from "@stagecraft/checkpoint";
import { tempDir } from "@stagecraft/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { openRegistry } from "./open-registry.js";
import { emptyRegistry } from "./registry-content.js";
import type { RegistryHome } from "./registry-home.js";
import { createRegistry, type ModelRegistry } from "./registry.js";

let root: string;
let registry: ModelRegistry;
const at = (...parts: string[]) => join(root, ...parts);
beforeEach(async () => {
  const directory = await tempDir();
  root = directory.path;
  registry = openRegistry(at("models.json"));
  return () => directory[Symbol.asyncDispose]();
});

async function model(name: string, value: number): Promise<string> {
  const tensors = new Map([["w", f32([1], Float32Array.of(value))]]);
  await writeModelDirectory(at(name), { config: {}, tensors, files: {} });
  return at(name);
}

async function promoted(...values: number[]): Promise<void> {
  for (const value of values) {
    const { version } = await registry.add("assistant", await model(`m${value}`, value));
    await registry.promote("assistant", version, { by: "ann" });
  }
}

describe("openRegistry()", () => {
  it("numbers versions, keeps those of known weights, and knows the one in use", async () => {
    await promoted(1, 2);
    expect((await registry.add("assistant", at("m1"))).version).toBe(1);
    expect((await registry.add("assistant", await model("m3", 3), { note: "x" })).version).toBe(3);
    const shown = (await registry.versions("assistant")).map((each) => [
      ...[each.version, each.path, each.stage, each.isPromoted],
    ]);
    expect(shown).toEqual([
      [1, at("m1"), "unknown", false],
      [2, at("m2"), "unknown", true],
      [3, at("m3"), "unknown", false],
    ]);
    expect((await registry.find("assistant")).version).toBe(2);
    expect((await registry.find("assistant@3")).note).toBe("x");
  });

  it("keeps the note of a version that is registered again without one", async () => {
    await registry.add("assistant", await model("m1", 1), { note: "good at sums" });
    expect((await registry.add("assistant", at("m1"))).note).toBe("good at sums");
    expect((await registry.add("assistant", at("m1"), { note: "newer" })).note).toBe("newer");
  });

  it("rolls back step by step, never forward again, and says when there is nothing before", async () => {
    await promoted(1, 2, 3);
    const back = async () => (await registry.rollBack("assistant", { by: "bo" })).version;
    expect([await back(), await back()]).toEqual([2, 1]);
    await expect(back()).rejects.toThrow("there is nothing to roll back to");
    await registry.promote("assistant", 3, { by: "ann" });
    expect(await back()).toBe(1);
    expect((await registry.promotions("assistant")).map(({ kind, by }) => [kind, by])).toEqual([
      ...[1, 2, 3].map(() => ["promote", "ann"]),
      ...[1, 2].map(() => ["rollback", "bo"]),
      ["promote", "ann"],
      ["rollback", "bo"],
    ]);
  });

  it("refuses to put weights to use that are not those that were registered", async () => {
    await promoted(1, 2);
    await model("m1", 7);
    await expect(registry.rollBack("assistant", { by: "bo" })).rejects.toThrow(
      `assistant@1: the weights in ${at("m1")} are not those that were registered`,
    );
    await rm(at("m1"), { recursive: true });
    await expect(registry.rollBack("assistant", { by: "bo" })).rejects.toMatchObject({
      code: "not_found",
    });
    expect((await registry.current("assistant"))?.version).toBe(2);
  });

  it("loses no version when several register at once", async () => {
    const dirs = await Promise.all([1, 2, 3, 4, 5, 6].map((value) => model(`m${value}`, value)));
    await Promise.all(dirs.map((dir) => openRegistry(registry.file).add("assistant", dir)));
    const versions = await registry.versions("assistant");
    expect(versions.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(new Set(versions.map(({ path }) => path)).size).toBe(6);
  });

  it("gives the files of a version, and refuses a link, whose file would be missing or a secret", async () => {
    await promoted(1);
    await mkdir(at("m1", "folder"));
    await writeFile(at("m1", ".hidden"), "x");
    const version = await registry.find("assistant");
    const names = (await registry.files(version)).map(({ name }) => name);
    expect(names.sort()).toEqual(["config.json", "model.safetensors"]);
    await symlink("/etc/hostname", at("m1", "notes.txt"));
    await expect(registry.files(version)).rejects.toThrow(/notes\.txt is a link/);
  });

  it("takes no object store for a file", () => {
    expect(() => openRegistry("s3://models/team")).toThrow("is an object store");
  });

  it("can be moved together with its models", async () => {
    await mkdir(at("runs"));
    const here = openRegistry(at("runs", "models.json"));
    await here.add("assistant", await model("runs/m", 1));
    await rename(at("runs"), at("elsewhere"));
    const there = openRegistry(at("elsewhere", "models.json"));
    await there.promote("assistant", 1, { by: "ann" });
    expect((await there.find("assistant")).path).toBe(at("elsewhere", "m"));
  });

  it("refuses names and references that mean nothing, and a damaged file, by name", async () => {
    await promoted(1);
    for (const name of ["", "a/b", "../x", "a@1", "-x"]) {
      await expect(registry.add(name, at("m1")), name).rejects.toMatchObject({
        code: "invalid_argument",
      });
    }
    await expect(registry.find("assistant@9")).rejects.toThrow("it has 1 to 1");
    await expect(registry.find("other")).rejects.toThrow("has no model other; it has assistant");
    await expect(registry.find("constructor")).rejects.toMatchObject({ code: "not_found" });
    expect((await registry.add("constructor", at("m1"))).version).toBe(1);
    await expect(registry.find("a@b")).rejects.toThrow("write NAME or NAME@VERSION");
    const text = await readFile(registry.file, "utf8");
    for (const damaged of [
      text.slice(0, -9),
      "[]",
      '{"formatVersion":2,"models":{}}',
      '{"formatVersion":1,"models":null}',
      '{"formatVersion":1,"models":{"assistant":null}}',
    ]) {
      await writeFile(registry.file, damaged);
      await expect(registry.add("assistant", at("m1"))).rejects.toMatchObject({
        code: "data_loss",
      });
      expect(await readFile(registry.file, "utf8")).toBe(damaged);
    }
  });
});

describe("createRegistry()", () => {
  /** A list in memory; the models are their own hashes. */
  function listed() {
    const content = emptyRegistry();
    const identify = (dir: string) => Promise.resolve({ sha256: dir, sizeBytes: 1 });
    const home: RegistryHome = {
      ...{ name: "list", pathOf: (dir: string) => dir, identify },
      read: () => Promise.resolve(structuredClone(content)),
      change: (changing) => Promise.resolve(changing(content)),
      take: async (_, dir) => ({ dir, ...(await identify(dir)) }),
      lineage: () => Promise.resolve({ reason: "none", isOfOthers: false }),
      files: () => Promise.resolve([]),
    };
    return { home, open: () => createRegistry(home) };
  }

  it("a promotion that took place is told as such though the list cannot be read any more", async () => {
    const list = listed();
    for (const dir of ["a", "b"]) await list.open().add("assistant", dir);
    let isAway = false;
    const registry = createRegistry({
      ...list.home,
      read: () => (isAway ? Promise.reject(new Error("away")) : list.home.read()),
      change: async (changing) => {
        const result = await list.home.change(changing);
        isAway = true;
        return result;
      },
    });
    const now = await registry.promote("assistant", 2, { by: "ann" });
    expect(now).toMatchObject({ version: 2, isPromoted: true });
    isAway = false;
    await registry.promote("assistant", 1, { by: "ann" });
    isAway = false;
    expect(await registry.rollBack("assistant", { by: "ann" })).toMatchObject({ version: 2 });
    isAway = false;
    expect(await registry.add("assistant", "c")).toMatchObject({ version: 3, path: "c" });
  });

  it("a promotion is told as the version that it was, though another follows at once", async () => {
    const list = listed();
    for (const dir of ["a", "b"]) await list.open().add("assistant", dir);
    const registry = createRegistry({
      ...list.home,
      change: async (changing) => {
        const result = await list.home.change(changing);
        await list.open().promote("assistant", 1, { by: "bo" });
        return result;
      },
    });
    const told = await registry.promote("assistant", 2, { by: "ann" });
    expect(told).toMatchObject({ version: 2, path: "b" });
    expect((await list.open().current("assistant"))?.version).toBe(1);
  });
});
