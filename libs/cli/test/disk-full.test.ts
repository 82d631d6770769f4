import { spawnSync } from "node:child_process";
import { mkdir, readdir } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { runCli } from "./spawn-cli.js";
import { openWorkshop, SOME_TEXT, TINY_PRETRAIN } from "./tiny-model.js";

function run(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

/** Only root may mount a small file system; elsewhere libs/checkpoint's injected errors stand alone. */
const canMount =
  process.getuid?.() === 0 && run("unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt");

describe.runIf(canMount)("a full disk", () => {
  it("stops with a clear message, and resumes once there is space", async () => {
    await using workshop = await openWorkshop();
    const corpus = await workshop.write("corpus.txt", SOME_TEXT);
    const disk = workshop.path("disk");
    await mkdir(disk);
    expect(run("mount", "-t", "tmpfs", "-o", "size=256k", "none", disk)).toBe(true);
    try {
      const args = [
        ...["pretrain", "--corpus", corpus, "--run", `${disk}/run`, "--json", "--steps", "40"],
        ...["--checkpoint-every", "5", ...TINY_PRETRAIN, "--hidden-size", "32"],
      ];
      const full = await runCli(args);
      expect(full.err).toMatch(/\[resource_exhausted\].*(disk|space)/s);
      expect(full.code).toBe(1);
      expect(run("mount", "-o", "remount,size=64m", disk)).toBe(true);
      const resumed = await runCli([...args, "--resume"]);
      expect(resumed.err).toBe("");
      expect(resumed.code).toBe(0);
      expect(await readdir(`${disk}/run/model`)).toContain("model.safetensors");
    } finally {
      run("umount", disk);
    }
  });
});
