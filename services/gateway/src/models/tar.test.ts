import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { VersionFile } from "@stagecraft/registry";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { tarOf } from "./tar.js";

/** A file that comes in two parts. */
function fileOf(name: string, content: Buffer): VersionFile {
  const half = content.length >> 1;
  return {
    ...{ name, sizeBytes: content.length, modifiedAtMs: 0 },
    async *read() {
      yield content.subarray(0, half);
      yield content.subarray(half);
    },
  };
}

async function packed(files: readonly VersionFile[], folder: string): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of tarOf(files, folder)) parts.push(part);
  return Buffer.concat(parts);
}

async function names(files: readonly VersionFile[], folder: string): Promise<string[]> {
  const input = await packed(files, folder);
  const { stdout } = spawnSync("tar", ["-t"], { input, encoding: "utf8" });
  return stdout.trim().split("\n");
}

describe("tarOf()", () => {
  it("makes what tar unpacks: every file, whatever its length, in folders too", async () => {
    await using dir = await tempDir();
    const at = (...parts: string[]) => join(dir.path, ...parts);
    const sizes = { empty: 0, small: 5, block: 512, large: 200_001, "member-1/extra.json": 3 };
    const files = Object.entries(sizes).map(([name, size]) =>
      fileOf(name, Buffer.alloc(size, name)),
    );
    await writeFile(at("a.tar"), await packed(files, "assistant-3"));
    const { status, stderr } = spawnSync("tar", ["-xf", at("a.tar"), "-C", dir.path]);
    expect([status, String(stderr)]).toEqual([0, ""]);
    for (const [name, size] of Object.entries(sizes)) {
      const unpacked = await readFile(at("assistant-3", name));
      expect(unpacked.equals(Buffer.alloc(size, name)), name).toBe(true);
    }
    const { stdout } = spawnSync("tar", ["-tf", at("a.tar")], { encoding: "utf8" });
    expect(stdout.trim().split("\n")).toHaveLength(5);
  });

  it("keeps long names whole, and refuses those that a tar file has no room for", async () => {
    const [folder, longest] = ["f".repeat(70), "n".repeat(100)];
    const file = (name: string) => fileOf(name, Buffer.from("x"));
    expect(await names([file(longest)], folder)).toEqual([`${folder}/${longest}`]);
    const both = [file(longest), file(`${longest}n`)];
    await expect(names(both, folder)).rejects.toThrow("more than 100 bytes");
  });

  it("breaks off when a file is not as long as its header says", async () => {
    const file = { ...fileOf("a", Buffer.from("abc")), sizeBytes: 4 };
    await expect(names([file], "m")).rejects.toThrow("a changed while it was read");
  });
});
