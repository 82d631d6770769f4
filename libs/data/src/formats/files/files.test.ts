import { gzipSync } from "node:zlib";
import * as zlib from "node:zlib";
import { readFile, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { collect, tempDir } from "../../../test/temp-dir.js";
import { writeRecords } from "../../write/write-records.js";
import { recordFileFormatOf, stemOf } from "./table.js";

const recordsOf = (file: string) => collect(recordFileFormatOf(file).readRecords(file));
const valuesOf = async (file: string) =>
  (await recordsOf(file)).map((record) => ("value" in record ? record.value : record.problem));

describe("a .json file", () => {
  const records = [{ a: 'x"],{' }, { b: ["[", { c: "\\" }] }, "text", 3, null];

  for (const [what, text] of [
    ["a list on one line", JSON.stringify(records)],
    ["an indented list", JSON.stringify(records, null, 2)],
    ["a list without its spaces at the ends", `\n ${JSON.stringify(records)} \n`],
  ] as const) {
    it(`gives the records of ${what}`, async () => {
      await using files = await tempDir({ "a.json": text, "b.json.gz": gzipSync(text) });
      expect(await valuesOf(files.path("a.json"))).toEqual(records);
      expect(await valuesOf(files.path("b.json.gz"))).toEqual(records);
    });
  }

  it("may hold records one after the other", async () => {
    await using files = await tempDir({ "a.json": '{"a": 1}\n{"a":\n2}{"a":3}' });
    expect(await valuesOf(files.path("a.json"))).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }]);
  });

  it("is cut rightly wherever its chunks end", async () => {
    const long = Array.from({ length: 300 }, (_, i) => ({ i, text: '\\"'.repeat(2000 + i) }));
    await using files = await tempDir({ "a.json": JSON.stringify(long) });
    expect(await valuesOf(files.path("a.json"))).toEqual(long);
  });

  for (const [what, text, message] of [
    ["that ends too early", '[{"a": 1}, {"a"', "ends inside of a record"],
    ["that goes on", '[{"a": 1}] {"b": 2}', "goes on after its list"],
    ["with a bracket too many", '{"a": 1}}', "a closing bracket too many"],
  ] as const) {
    it(`${what} is refused`, async () => {
      await using files = await tempDir({ "a.json": text });
      await expect(recordsOf(files.path("a.json"))).rejects.toThrow(message);
    });
  }

  it("names the place of a record that is no JSON, and not its content", async () => {
    await using files = await tempDir({ "a.json": '[{"a": 1}, {secret}, {"b": 2}]' });
    expect(await recordsOf(files.path("a.json"))).toEqual([
      { place: 1, value: { a: 1 } },
      { place: 2, problem: "not valid JSON" },
      { place: 3, value: { b: 2 } },
    ]);
  });
});

describe("a .csv file", () => {
  it("gives records by its header, with quotes, line ends and delimiters inside of values", async () => {
    const text = 'q,a\r\n"x, ""y""\nz", b \n\n,"" \r\n"end\r",1';
    await using files = await tempDir({ "a.csv": text, "b.tsv": "q\ta\n1,5\t2" });
    expect(await recordsOf(files.path("a.csv"))).toEqual([
      { place: 2, value: { q: 'x, "y"\nz', a: " b " } },
      { place: 5, value: { q: "", a: " " } },
      { place: 6, value: { q: "end\r", a: "1" } },
    ]);
    expect(await valuesOf(files.path("b.tsv"))).toEqual([{ q: "1,5", a: "2" }]);
  });

  it("names rows that do not fit their header, and refuses a quote without an end", async () => {
    await using files = await tempDir({ "a.csv": "a,b\n1,2\n1\n", "b.csv": 'a\n1\n"x\n2\n' });
    const [, bad] = await recordsOf(files.path("a.csv"));
    expect(bad).toEqual({ place: 3, problem: "the row has 1 values, the header 2" });
    await expect(recordsOf(files.path("b.csv"))).rejects.toThrow(/b\.csv:3: .*does not end/);
  });

  it("refuses a header with one name twice", async () => {
    await using files = await tempDir({ "a.csv": "a,b,a\n1,2,3" });
    await expect(recordsOf(files.path("a.csv"))).rejects.toThrow("names two columns alike");
  });
});

describe("a .parquet file", () => {
  it("that is damaged, cut or none is refused by name", async () => {
    await using files = await tempDir({ "none.parquet": "text", "empty.parquet": "" });
    const file = files.path("a.parquet");
    await writeRecords(file, [{ text: "hello ".repeat(100) }]);
    const bytes = await readFile(file);
    await writeFile(files.path("cut.parquet"), bytes.subarray(0, -20));
    bytes.fill(0xff, 20, 60);
    await writeFile(file, bytes);
    for (const name of ["a", "cut", "none", "empty"]) {
      const read = recordsOf(files.path(`${name}.parquet`));
      await expect(read).rejects.toThrow(/\[data_loss\] .*is no intact parquet file/);
    }
    const missing = recordsOf(files.path("missing.parquet"));
    await expect(missing).rejects.toThrow("there is no file");
  });
});

describe("a .zst file", () => {
  const { zstdCompressSync } = zlib as { zstdCompressSync?: (text: string) => Buffer };

  it("is unpacked where Node can, and refused by name where it cannot", async () => {
    const packed = zstdCompressSync?.('{"a": 1}\n') ?? Buffer.from("x");
    await using files = await tempDir({ "a.jsonl.zst": packed });
    const read = valuesOf(files.path("a.jsonl.zst"));
    if (zstdCompressSync) expect(await read).toEqual([{ a: 1 }]);
    else await expect(read).rejects.toThrow(".zst needs Node 22.15 or later");
  });
});

describe("stemOf()", () => {
  it("takes away what says how a file is read", () => {
    const names = ["x/a.b.jsonl.gz", "a.parquet", "a.unknown", "a.csv.zst"];
    expect(names.map(stemOf)).toEqual(["a.b", "a", "a.unknown", "a"]);
  });
});
