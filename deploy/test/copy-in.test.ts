import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
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

  it("copies files as well, and leaves what is there when it cannot", async () => {
    await using dir = await tempDir();
    await writeFile(dir.file("a.jsonl"), "{}\n");
    const into = dir.file("models");
    await mkdir(into);
    await copyIn({ path: dir.file("a.jsonl"), name: "prompts.jsonl", into, through: [] });
    expect(await readdir(into)).toEqual(["prompts.jsonl"]);
    const missing = { path: dir.file("none"), name: "prompts.jsonl", into, through: [] };
    await expect(copyIn(missing)).rejects.toThrow("tar ended with");
    expect(await readFile(`${into}/prompts.jsonl`, "utf8")).toBe("{}\n");
  });
});
