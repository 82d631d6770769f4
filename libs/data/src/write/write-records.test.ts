import { readdir, readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { collect, tempDir } from "../../test/temp-dir.js";
import { parquetFiles } from "../formats/files/parquet.js";
import { readRankings } from "../rankings.js";
import { writeRecords } from "./write-records.js";

const rowsOf = async (file: string) =>
  (await collect(parquetFiles.readRecords(file))).map((row) => "value" in row && row.value);

describe("writeRecords()", () => {
  it("writes tables that say the same when read: texts, numbers, lists, fields and what is missing", async () => {
    await using files = await tempDir();
    const records = [
      { text: "é👋", n: 1, x: 1, flag: true, list: ["a", "b"], turns: [{ role: "user", n: 1 }] },
      { text: "", n: -(2 ** 40), x: 0.5, flag: false, list: [], turns: [], more: { a: 1.5 } },
    ];
    const file = files.path("new/r.parquet");
    expect(await writeRecords(file, records)).toBe(2);
    expect(await rowsOf(file)).toEqual([
      { ...records[0], more: null },
      { ...records[1], more: { a: 1.5 } },
    ]);
    expect(await readdir(files.path("new"))).toEqual(["r.parquet"]);
  });

  it("writes rankings as tables that are read as rankings, in more than one row group", async () => {
    await using files = await tempDir();
    const ranking = (i: number) => ({
      id: `r${i}`,
      prompt: [{ role: "user" as const, content: `q${i}` }],
      answers: ["a", "b"],
      ranks: [2, 1],
      scores: [0.5, 1],
    });
    const rankings = Array.from({ length: 10_001 }, (_, i) => ranking(i));
    expect(await writeRecords(files.path("r.parquet"), rankings)).toBe(10_001);
    const read = await collect(readRankings(files.path("r.parquet")));
    expect([read.length, read[0], read[10_000]]).toEqual([10_001, ranking(0), ranking(10_000)]);
  });

  it("refuses a field of two types and a name that says no format, and leaves what was there", async () => {
    await using files = await tempDir({ "r.parquet": "before" });
    const write = writeRecords(files.path("r.parquet"), [{ a: 1 }, { a: "x" }]);
    await expect(write).rejects.toThrow('"a" is integer in one record and text in another');
    expect(await readdir(files.dir)).toEqual(["r.parquet"]);
    expect(await readFile(files.path("r.parquet"), "utf8")).toBe("before");
    expect(() => writeRecords(files.path("r.csv"), [])).toThrow("must end in .jsonl or .parquet");
  });
});
