import { readdir, readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { tempDir } from "../../test/temp-dir.js";
import { openJsonlAppender, writeJsonl } from "./write-jsonl.js";

describe("writeJsonl()", () => {
  it("keeps the old file when the records fail half way", async () => {
    await using files = await tempDir({ "a.jsonl": "old" });
    async function* failing() {
      yield { text: "x".repeat(2 ** 21) };
      await Promise.reject(new Error("broken source"));
    }
    await expect(writeJsonl(files.path("a.jsonl"), failing())).rejects.toThrow("broken source");
    expect(await readFile(files.path("a.jsonl"), "utf8")).toBe("old");
    expect(await readdir(files.dir)).toEqual(["a.jsonl"]);
  });
});

describe("openJsonlAppender()", () => {
  for (const [what, before, after] of [
    ["a missing file", undefined, ""],
    ["a whole file", `{"a":1}\n`, `{"a":1}\n`],
    ["a torn last line", `{"a":1}\n{"b":`, `{"a":1}\n`],
    ["a torn only line", `{"b":`, ""],
    ["a last line without its end", `{"a":1}\n{"b":2}`, `{"a":1}\n{"b":2}\n`],
  ] as const) {
    it(`appends whole lines to ${what}`, async () => {
      await using files = await tempDir(before === undefined ? {} : { "a.jsonl": before });
      await using appender = await openJsonlAppender(files.path("a.jsonl"));
      await appender.append({ c: 3 }, { d: 4 });
      await appender.sync();
      expect(await readFile(files.path("a.jsonl"), "utf8")).toBe(`${after}{"c":3}\n{"d":4}\n`);
    });
  }
});
