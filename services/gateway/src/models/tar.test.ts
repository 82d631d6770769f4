import { spawnSync } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { tarOf } from "./tar.js";

describe("tarOf()", () => {
  it("makes what tar unpacks: every plain file, whatever its length; hidden ones and folders stay", async () => {
    await using dir = await tempDir();
    const at = (...parts: string[]) => join(dir.path, ...parts);
    await mkdir(at("model", "folder"), { recursive: true });
    const files = { empty: 0, small: 5, block: 512, large: 200_001, ".hidden": 3 };
    for (const [name, size] of Object.entries(files)) {
      await writeFile(at("model", name), Buffer.alloc(size, name));
    }
    const parts: Buffer[] = [];
    for await (const part of tarOf(at("model"), "assistant-3")) parts.push(part);
    await writeFile(at("a.tar"), Buffer.concat(parts));
    const { status, stderr } = spawnSync("tar", ["-xf", at("a.tar"), "-C", dir.path]);
    expect([status, String(stderr)]).toEqual([0, ""]);
    for (const [name, size] of Object.entries(files).filter(([each]) => !each.startsWith("."))) {
      const unpacked = await readFile(at("assistant-3", name));
      expect(unpacked.equals(Buffer.alloc(size, name)), name).toBe(true);
    }
    const { stdout } = spawnSync("tar", ["-tf", at("a.tar")], { encoding: "utf8" });
    expect(stdout.trim().split("\n")).toHaveLength(4);
  });

  const names = async (dir: string, folder: string) => {
    const parts: Buffer[] = [];
    for await (const part of tarOf(dir, folder)) parts.push(part);
    const { stdout } = spawnSync("tar", ["-t"], { input: Buffer.concat(parts), encoding: "utf8" });
    return stdout.trim().split("\n");
  };

  it("keeps long names whole, and refuses those that a tar file has no room for", async () => {
    await using dir = await tempDir();
    const [folder, longest] = ["f".repeat(70), "n".repeat(100)];
    await writeFile(join(dir.path, longest), "x");
    expect(await names(dir.path, folder)).toEqual([`${folder}/${longest}`]);
    await writeFile(join(dir.path, `${longest}n`), "x");
    await expect(names(dir.path, folder)).rejects.toThrow("more than 100 bytes");
  });

  it("refuses a link, whose file would be missing or a secret of the machine", async () => {
    await using dir = await tempDir();
    await symlink("/etc/hostname", join(dir.path, "model.safetensors"));
    await expect(names(dir.path, "a")).rejects.toThrow(/model\.safetensors is a link/);
  });
});
