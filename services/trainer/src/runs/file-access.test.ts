import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@stagecraft/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { createFileAccess, type FileAccess } from "./file-access.js";

let root: string;
let files: FileAccess;
const at = (...parts: string[]) => join(root, ...parts);
const own = () => at("runs", "r1");

beforeEach(async () => {
  const directory = await tempDir();
  root = directory.path;
  for (const dir of ["runs/other", "models/a", "cache", "elsewhere"]) {
    await mkdir(at(dir), { recursive: true });
  }
  await writeFile(at("runs/other/run.json"), "{}");
  await writeFile(at("elsewhere/secret.jsonl"), "secret");
  await writeFile(at("models/prompts.jsonl"), "{}");
  files = createFileAccess({
    runsDir: at("runs"),
    readDirs: [at("models")],
    writeDirs: [at("cache")],
  });
  return () => directory[Symbol.asyncDispose]();
});

describe("createFileAccess()", () => {
  it("lets runs read models, runs and caches, and write to caches and their own folder", async () => {
    await files.checkConfig(
      {
        corpus: [at("models/prompts.jsonl=0.5"), at("models/a=b")],
        model: at("models/a"),
        models: [`sft=${at("runs/other/model")}`],
        tokenizer: "",
        cacheDir: at("cache/tokens"),
        steps: 3,
        courtesies: ["/etc"],
      },
      own(),
    );
    for (const cacheDir of [at("cache"), at("runs/r1/corpus"), at("runs/cache")]) {
      await files.checkConfig({ cacheDir }, own());
    }
  });

  it("loads no library that a caller names, wherever it lies", async () => {
    await writeFile(at("models/evil.so"), "");
    await expect(files.checkConfig({ plugin: at("models/evil.so") }, own())).rejects.toThrow(
      /permission_denied.*loads no library that a caller names/,
    );
    await files.checkConfig({ plugin: "" }, own());
  });

  const outside: [string, () => object, RegExp][] = [
    ["a file of the system", () => ({ prompts: ["/etc/passwd"] }), /prompts\[0\] is "\/etc\/pass/],
    ["dots that lead out", () => ({ data: [at("models/../elsewhere/secret.jsonl")] }), /data\[0\]/],
    ["a named model", () => ({ models: [`x=${at("elsewhere")}`] }), /models\[0\]/],
    ["a weighed text", () => ({ corpus: [`${at("elsewhere")}=2`] }), /corpus\[0\]/],
    ["a folder whose name begins alike", () => ({ model: `${at("models")}-2` }), /model is/],
    ["the folder around", () => ({ corpus: [root] }), /corpus\[0\]/],
    ["a cache among the models", () => ({ cacheDir: at("models/x") }), /may write/],
    ["a cache anywhere", () => ({ cacheDir: at("elsewhere/new/deep") }), /cacheDir/],
    ["a cache in another run", () => ({ cacheDir: at("runs/other/model") }), /of another run/],
    ["a cache that is the folder of all runs", () => ({ cacheDir: at("runs") }), /of all runs/],
  ];
  for (const [name, config, message] of outside) {
    it(`refuses ${name}`, async () => {
      const checked = files.checkConfig(config(), own());
      await expect(checked).rejects.toMatchObject({ code: "permission_denied" });
      await expect(files.checkConfig(config(), own())).rejects.toThrow(message);
    });
  }

  it("follows links, to the path and inside of it, and judges where they lead", async () => {
    await symlink(at("elsewhere/secret.jsonl"), at("models/link.jsonl"));
    const named = files.checkConfig({ prompts: [at("models/link.jsonl")] }, own());
    await expect(named).rejects.toMatchObject({ code: "permission_denied" });
    await expect(files.checkConfig({ corpus: [at("models")] }, own())).rejects.toThrow(
      /corpus\[0\] is ".*models\/link\.jsonl"/,
    );
    await symlink(at("models/a"), at("runs/other/model"));
    await symlink(at("models"), at("models/a/loop"));
    const harmless = { model: at("runs/other/model") };
    await expect(files.checkConfig(harmless, own())).rejects.toThrow("link.jsonl"); // over the loop
    await symlink(at("elsewhere"), at("cache/out"));
    const out = files.checkConfig({ cacheDir: at("cache/out/new") }, own());
    await expect(out).rejects.toMatchObject({ code: "permission_denied" });
  });

  it("gives a run a folder of its own: new, empty, or a run's", async () => {
    await files.checkRunDir(at("runs/new"));
    await files.checkRunDir(at("runs/other"));
    await mkdir(at("runs/group/inner"), { recursive: true });
    await writeFile(at("runs/group/inner/run.json"), "{}");
    await expect(files.checkRunDir(at("runs/group"))).rejects.toThrow("something that is no run");
    await symlink(at("elsewhere"), at("runs/link"));
    await expect(files.checkRunDir(at("runs/link"))).rejects.toThrow("is a link");
  });
});
