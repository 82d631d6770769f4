import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { collect, tempDir } from "../../../test/temp-dir.js";
import { readTextChunks } from "./text-stream.js";

const textOf = async (file: string) => (await collect(readTextChunks(file))).join("");

describe("readTextChunks()", () => {
  it("never cuts a character at a chunk border", async () => {
    for (const prefix of ["", "x", "xx", "xxx"]) {
      const text = prefix + "👋".repeat(300_000); // 1.2 MB: the border at 1 MiB is in a character
      await using files = await tempDir({ "a.txt": text, "a.txt.gz": gzipSync(text) });
      for (const name of ["a.txt", "a.txt.gz"]) {
        const chunks = await collect(readTextChunks(files.path(name)));
        expect(chunks.length).toBeGreaterThan(1);
        expect(chunks.join("") === text).toBe(true);
      }
    }
  });

  it("drops a byte order mark at the start only", async () => {
    await using files = await tempDir({ a: "\ufeffone\ufefftwo" });
    expect(await textOf(files.path("a"))).toBe("one\ufefftwo");
  });

  const padding = "line\n".repeat(300_000); // 1.5 MB: the bad byte stands in the second chunk
  for (const [what, content, message] of [
    [
      "invalid UTF-8",
      [Buffer.from("ab\nc"), [0xe9], Buffer.from("d")],
      "a:2: the file is not valid UTF-8 (byte 0xe9)",
    ],
    [
      "invalid UTF-8 far in",
      [Buffer.from(padding), [0xff]],
      "a:300001: the file is not valid UTF-8 (byte 0xff); convert it, e.g. with iconv (at byte 1500000)",
    ],
    ["a character cut off by the end", [Buffer.from("ab"), [0xf0, 0x9f]], "(byte 0xf0)"],
    [
      "binary data",
      [Buffer.from("PNG\n"), [0, 1]],
      "a:2: the file holds a zero byte, so it is binary",
    ],
    ["UTF-16", [[0xff, 0xfe, 0x41, 0x00]], "is UTF-16; convert it"],
  ] as const) {
    it(`refuses ${what} with its place`, async () => {
      const bytes = Buffer.concat(content.map((part) => Buffer.from(part)));
      await using files = await tempDir({ a: bytes });
      await expect(textOf(files.path("a"))).rejects.toThrow(message);
    });
  }

  it("reports a missing file and a damaged .gz", async () => {
    const gz = gzipSync("text ".repeat(10_000));
    await using files = await tempDir({ "cut.txt.gz": gz.subarray(0, 40), "no.txt.gz": "plain" });
    await expect(textOf(files.path("none"))).rejects.toThrow(
      /\[not_found\] there is no file .*none/,
    );
    for (const name of ["cut.txt.gz", "no.txt.gz"]) {
      await expect(textOf(files.path(name))).rejects.toThrow(
        /is no intact gzip file \(.*, after \d+ bytes of its contents\)/,
      );
    }
  });
});
