import { describe, expect, it } from "vitest";
import { tempDir } from "../test/temp-dir.js";
import { listFiles } from "./list-files.js";

describe("listFiles()", () => {
  it("finds the files that fit a pattern, in the order of their paths", async () => {
    await using files = await tempDir({
      "data/train-00001.parquet": "",
      "data/train-00000.parquet": "",
      "data/test-00000.parquet": "",
      "data/deep/er/train-2.jsonl": "",
      "data/.hidden/train-3.parquet": "",
      "other/train-00000.parquet": "",
    });
    const found = async (pattern: string) =>
      (await listFiles(files.path(pattern))).map((file) => file.slice(files.dir.length + 1));
    const train = ["data/train-00000.parquet", "data/train-00001.parquet"];
    expect(await found("data/train-*.parquet")).toEqual(train);
    expect(await found("data/t????-00000.parquet")).toEqual([train[0]]);
    expect(await found("*/train-0*")).toEqual([...train, "other/train-00000.parquet"]);
    expect(await found("data/**/train-*")).toEqual(["data/deep/er/train-2.jsonl", ...train]);
    await expect(found("data/x*")).rejects.toThrow("no file fits the pattern");
    await expect(found("none/*")).rejects.toThrow("no file fits the pattern");
  });

  it("leaves out what describes a data set and is none", async () => {
    const names = ["README.md", "dataset_infos.json", "a.parquet", "b.jsonl.zst", "notes.md"];
    await using files = await tempDir(Object.fromEntries(names.map((name) => [name, ""])));
    const found = await listFiles(files.dir);
    expect(found).toEqual(["a.parquet", "b.jsonl.zst", "notes.md"].map(files.path));
  });
});
