import { spawnSync } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it, vi } from "vitest";
import { copyIn } from "../scripts/copy-in.mjs";

describe("copyIn()", () => {
  it("puts a model that is copied again in the place of the first, not into it", async () => {
    await using dir = await tempDir();
    const [path, into] = [dir.file("model"), dir.file("models")];
    for (const folder of [path, into]) await mkdir(folder);
    await writeFile(`${path}/config.json`, "{}");
    await writeFile(`${path}/old.safetensors`, "");
    await copyIn({ path, name: "policy", into, through: [] });
    expect(await readdir(`${into}/policy`)).toEqual(["config.json", "old.safetensors"]);

    const second = dir.file("second");
    await mkdir(second);
    await writeFile(`${second}/config.json`, "{}");
    await copyIn({ path: `${second}/`, name: "policy", into, through: [] });
    expect(await readdir(into)).toEqual(["policy"]);
    expect(await readdir(`${into}/policy`)).toEqual(["config.json"]);
  });

  it("leaves what is there when some of the new one could not be read", async () => {
    await using dir = await tempDir();
    const [path, into] = [dir.file("model"), dir.file("models")];
    for (const folder of [path, into]) await mkdir(folder);
    await writeFile(`${path}/config.json`, "first");
    await copyIn({ path, name: "policy", into, through: [] });
    await writeFile(`${path}/config.json`, "second");
    // A tar that packs what it can and says at its end that it was not all, as for an unreadable file.
    const partly = '#!/bin/sh\nPATH=$REAL_PATH tar "$@"\n[ "$1" = -x ] || exit 2\n';
    await writeFile(dir.file("tar"), partly, { mode: 0o755 });
    const real = process.env["PATH"]!;
    vi.stubEnv("REAL_PATH", real);
    vi.stubEnv("PATH", `${dir.path}:${real}`);
    await expect(copyIn({ path, name: "policy", into, through: [] })).rejects.toThrow("tar ended");
    vi.unstubAllEnvs();
    expect(await readdir(into)).toEqual(["policy"]);
    expect(await readFile(`${into}/policy/config.json`, "utf8")).toBe("first");
  });

  it("copies files as well, and leaves what is there when it cannot", async () => {
    await using dir = await tempDir();
    await writeFile(dir.file("a.jsonl"), "{}\n");
    const into = dir.file("models");
    await mkdir(into);
    await copyIn({ path: dir.file("a.jsonl"), name: "prompts.jsonl", into, through: [] });
    expect(await readdir(into)).toEqual(["prompts.jsonl"]);
    const missing = { path: dir.file("none"), name: "prompts.jsonl", into, through: [] };
    await expect(copyIn(missing)).rejects.toThrow("tar ended with");
    expect(await readdir(into)).toEqual(["prompts.jsonl"]);
    expect(await readFile(`${into}/prompts.jsonl`, "utf8")).toBe("{}\n");
  });
});

describe("deploy/scripts/copy-in.mjs", () => {
  const script = fileURLToPath(new URL("../scripts/copy-in.mjs", import.meta.url));
  const KUBECTL = '#!/bin/sh\nprintf "%s\\n" "$*" >> "$CALLS"\ncat > /dev/null\n';

  it.each([
    ["a model", "config.json", "is nats://it", "models push /models/it nats://it"],
    [
      "a folder of texts",
      "a.txt",
      "is /data/in/it of the trainer",
      "exec --stdin deployment/trainer",
    ],
  ])("brings %s to where it is looked for", async (_what, file, said, call) => {
    await using dir = await tempDir();
    const [from, calls] = [dir.file("from"), dir.file("calls")];
    await mkdir(from);
    await writeFile(`${from}/${file}`, "{}");
    await writeFile(dir.file("kubectl"), KUBECTL, { mode: 0o755 });
    const env = { ...process.env, PATH: `${dir.path}:${process.env["PATH"]}`, CALLS: calls };
    const done = spawnSync(process.execPath, [script, from, "it"], { env, encoding: "utf8" });
    expect([done.status, done.stdout]).toEqual([0, expect.stringContaining(said)]);
    const all = await readFile(calls, "utf8");
    expect(all).toContain(call);
    expect(all.includes("models push")).toBe(file === "config.json");
  });

  it("says in one line that a folder is not there, and copies nothing", async () => {
    await using dir = await tempDir();
    const calls = dir.file("calls");
    await writeFile(calls, "");
    await writeFile(dir.file("kubectl"), KUBECTL, { mode: 0o755 });
    const env = { ...process.env, PATH: `${dir.path}:${process.env["PATH"]}`, CALLS: calls };
    const done = spawnSync(process.execPath, [script, dir.file("none"), "policy"], {
      env,
      encoding: "utf8",
    });
    expect([done.status, done.stderr]).toEqual([
      1,
      `copy-in.mjs: ${dir.file("none")} is not there\n`,
    ]);
    expect(await readFile(calls, "utf8")).toBe("");
  });
});
