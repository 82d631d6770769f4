import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fullAfter, tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { readModelDirectory, writeModelDirectory } from "./model-directory.js";
import { writeSafetensors } from "./safetensors.js";
import { f32 } from "./tensor-entry.js";

const model = {
  config: { model_type: "llama", hidden_size: 4 },
  tensors: new Map([["w", f32([2], Float32Array.of(1, 2))]]),
  files: { "tokenizer.json": "{}", "chat_template.jinja": "{{ messages }}" },
};

describe("model directories", () => {
  it("round-trip and replace an earlier model", async () => {
    await using dir = await tempDir();
    const path = join(dir.path, "model");
    await writeModelDirectory(path, { ...model, files: { "tokenizer_config.json": "{}" } });
    await writeModelDirectory(path, model);
    expect(await readModelDirectory(path)).toEqual(model);
    expect((await readdir(path)).sort()).toEqual([
      "chat_template.jinja",
      "config.json",
      "model.safetensors",
      "tokenizer.json",
    ]);
  });

  it("write whole caps as 30.0, since transformers refuses 30", async () => {
    await using dir = await tempDir();
    const path = join(dir.path, "model");
    const config = { attn_logit_softcapping: 50, final_logit_softcapping: 30, other: 30 };
    await writeModelDirectory(path, { ...model, config });
    const text = await readFile(join(path, "config.json"), "utf8");
    expect(text.match(/: .*/g)).toEqual([": 50.0,", ": 30.0,", ": 30"]);
    expect((await readModelDirectory(path)).config).toEqual(config);
  });

  it("read sharded weights through their index", async () => {
    await using dir = await tempDir();
    const index = { weight_map: { a: "1.safetensors", b: "2.safetensors" } };
    await writeFile(join(dir.path, "config.json"), "{}");
    await writeFile(join(dir.path, "model.safetensors.index.json"), JSON.stringify(index));
    await writeSafetensors(
      join(dir.path, "1.safetensors"),
      new Map([["a", f32([], new Float32Array(1))]]),
    );
    await writeSafetensors(
      join(dir.path, "2.safetensors"),
      new Map([["b", f32([], new Float32Array(1))]]),
    );
    expect([...(await readModelDirectory(dir.path)).tensors.keys()]).toEqual(["a", "b"]);
  });

  it("write weights above a size as shards that transformers finds, and replace them by fewer", async () => {
    await using dir = await tempDir();
    const path = join(dir.path, "model");
    const sizes = { a: 2, b: 2, large: 9, c: 1, d: 2 };
    const tensors = new Map(
      Object.entries(sizes).map(([name, n]) => [name, f32([n], new Float32Array(n).fill(n))]),
    );
    await writeModelDirectory(path, { ...model, tensors }, { maxShardBytes: 16 });
    const shards = [1, 2, 3].map((i) => `model-0000${i}-of-00003.safetensors`);
    const names = (await readdir(path)).filter((name) => name.startsWith("model"));
    expect(names.sort()).toEqual([...shards, "model.safetensors.index.json"]);
    const index = JSON.parse(await readFile(join(path, "model.safetensors.index.json"), "utf8"));
    const [first, second, third] = shards;
    const weight_map = { a: first, b: first, large: second, c: third, d: third };
    expect(index).toEqual({ metadata: { total_size: 64 }, weight_map });
    expect((await readModelDirectory(path)).tensors).toEqual(tensors);
    await writeModelDirectory(path, model);
    expect(await readModelDirectory(path)).toEqual(model);
    expect((await readdir(path)).filter((name) => name.startsWith("model"))).toEqual([
      "model.safetensors",
    ]);
  });

  for (const shard of [7, null, "../1.safetensors", "a\\1.safetensors", "..", "/etc/passwd"]) {
    it(`read no file outside that an index names: ${JSON.stringify(shard)}`, async () => {
      await using dir = await tempDir();
      await writeFile(join(dir.path, "config.json"), "{}");
      const index = JSON.stringify({ weight_map: { a: shard } });
      await writeFile(join(dir.path, "model.safetensors.index.json"), index);
      const read = readModelDirectory(dir.path);
      await expect(read).rejects.toThrow("which is no safetensors file beside it");
    });
  }

  it("never delete what is not a model's", async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, "thesis.md"), "years of work");
    await expect(writeModelDirectory(dir.path, model)).rejects.toThrow(/thesis\.md/);
    expect(await readdir(dir.path)).toEqual(["thesis.md"]);
  });

  it("keep the old model on a full disk", async () => {
    await using dir = await tempDir();
    const path = join(dir.path, "model");
    await writeModelDirectory(path, model);
    const write = writeModelDirectory(
      path,
      { ...model, config: { other: true } },
      { fileSystem: fullAfter(20) },
    );
    await expect(write).rejects.toThrow("[resource_exhausted]");
    expect(await readModelDirectory(path)).toEqual(model);
  });

  it("are found by readers between the two renames of a replacement", async () => {
    await using dir = await tempDir();
    await writeModelDirectory(join(dir.path, "m"), model);
    await rename(join(dir.path, "m"), join(dir.path, ".m.0123456789ab.old"));
    expect(await readModelDirectory(join(dir.path, "m"))).toEqual(model);
    expect(await readdir(dir.path)).toEqual([".m.0123456789ab.old"]);
  });

  it("say what is missing or broken", async () => {
    await using dir = await tempDir();
    const read = () => readModelDirectory(join(dir.path, "m"));
    await expect(read()).rejects.toThrow(/\[not_found\].*no such directory/);
    await mkdir(join(dir.path, "m"));
    await writeFile(join(dir.path, "m/x.bin"), "");
    await expect(read()).rejects.toThrow(/no config\.json/);
    await writeFile(join(dir.path, "m/config.json"), "{");
    await expect(read()).rejects.toThrow(/config\.json: not valid JSON/);
    await writeFile(join(dir.path, "m/config.json"), "{}");
    await expect(read()).rejects.toThrow(/pickled/);
    await writeFile(join(dir.path, "m/model.safetensors"), "garbage!garbage!");
    await expect(read()).rejects.toThrow(/\[data_loss\].*model\.safetensors: not a safetensors/);
  });
});
