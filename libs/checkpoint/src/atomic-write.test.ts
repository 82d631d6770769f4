import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Crash, crashAfter, fullAfter, tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { atomicReplaceDirectory, recoverDirectory, sweepTemporaries } from "./atomic-directory.js";
import { atomicWriteFile } from "./atomic-write.js";

describe("atomicWriteFile()", () => {
  it("creates directories, writes text, bytes and chunks, and leaves nothing else behind", async () => {
    await using dir = await tempDir();
    const file = join(dir.path, "a/b.txt");
    await atomicWriteFile(file, "first");
    await atomicWriteFile(file, [Buffer.from("sec"), Buffer.from("ond")]);
    expect(await readFile(file, "utf8")).toBe("second");
    expect(await readdir(join(dir.path, "a"))).toEqual(["b.txt"]);
  });

  it("holds the old or the new content after a crash at any operation", async () => {
    await using dir = await tempDir();
    const file = join(dir.path, "x");
    await atomicWriteFile(file, "old content");
    const seen = new Set<string>();
    for (let allowed = 0; ; allowed++) {
      const fileSystem = crashAfter(allowed);
      const finished = await atomicWriteFile(file, "NEW CONTENT", { fileSystem }).then(
        () => true,
        (thrown: { cause?: unknown }) => !(thrown.cause instanceof Crash),
      );
      seen.add(await readFile(file, "utf8"));
      await sweepTemporaries(dir.path);
      expect(await readdir(dir.path)).toEqual(["x"]);
      if (finished) break;
    }
    expect([...seen].sort()).toEqual(["NEW CONTENT", "old content"]);
  });

  it("keeps the old file on a full disk, says so and leaves no temporary", async () => {
    await using dir = await tempDir();
    const file = join(dir.path, "x");
    await atomicWriteFile(file, "old");
    const write = atomicWriteFile(file, "y".repeat(100), { fileSystem: fullAfter(50) });
    await expect(write).rejects.toThrow(
      /\[resource_exhausted\] no space left to write .*x \(100 B\)/,
    );
    expect(await readFile(file, "utf8")).toBe("old");
    expect(await readdir(dir.path)).toEqual(["x"]);
  });

  it("names the path when it cannot write", async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, "plain"), "");
    await expect(atomicWriteFile(join(dir.path, "plain/x"), "")).rejects.toThrow(/plain\/x/);
  });
});

describe("atomicReplaceDirectory()", () => {
  const files = (text: string) =>
    new Map([
      ["a", text],
      ["b", text],
    ]);
  const contents = async (path: string) =>
    Promise.all((await readdir(path)).map((name) => readFile(join(path, name), "utf8")));

  it("holds all of the old or all of the new files after a crash at any operation", async () => {
    await using dir = await tempDir();
    const target = join(dir.path, "model");
    const seen = new Set<string>();
    await atomicReplaceDirectory(target, files("old"));
    for (let allowed = 0; allowed < 100; allowed++) {
      const fileSystem = crashAfter(allowed);
      const finished = await atomicReplaceDirectory(target, files("new"), { fileSystem }).then(
        () => true,
        () => false,
      );
      await recoverDirectory(target);
      expect(await readdir(dir.path)).toEqual(["model"]);
      seen.add((await contents(target)).join());
      if (finished && fileSystem.operations() < allowed) break;
      await atomicReplaceDirectory(target, files("old"));
    }
    expect([...seen].sort()).toEqual(["new,new", "old,old"]);
  });

  it("drops files that the new content does not have", async () => {
    await using dir = await tempDir();
    const target = join(dir.path, "model");
    await mkdir(target);
    await writeFile(join(target, "extra"), "");
    await atomicReplaceDirectory(target, files("new"));
    expect(await readdir(target)).toEqual(["a", "b"]);
  });
});
