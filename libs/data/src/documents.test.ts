import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { collect, tempDir } from "../test/temp-dir.js";
import { corpusSource, readDocuments, type CorpusSource } from "./documents.js";
import type { BadRecord } from "./types.js";

async function documentsOf(sources: (CorpusSource | string)[], options = {}) {
  const documents: string[] = [];
  for (const part of await collect(readDocuments(sources, options))) {
    if (part.first) documents.push(part.text);
    else documents[documents.length - 1] += part.text;
  }
  return documents;
}

describe("corpusSource()", () => {
  it("reads path and weight, and escapes of a separator", () => {
    const reading = { textField: "body", separator: "\\n--\\r\\n" };
    const expected = { path: "a=b.txt", weight: 0.5, textField: "body", separator: "\n--\r\n" };
    expect(corpusSource("a=b.txt=0.5", reading)).toEqual(expected);
    expect(corpusSource("a.txt")).toEqual({ path: "a.txt" });
  });
});

describe("readDocuments()", () => {
  it("reads folders recursively in sorted order, and only text files", async () => {
    await using files = await tempDir({
      "b.txt": "B",
      "a/z.md": "Z",
      "a/c.jsonl": `{"text":"C1"}\n\n"C2"\n`,
      "a/d.jsonl.gz": gzipSync(`{"text":"D"}`),
      "a/image.png": "no",
      ".hidden/x.txt": "no",
      "blank.txt": " \n\n",
    });
    expect(await documentsOf([files.dir])).toEqual(["C1", "C2", "D", "Z", "B"]);
  });

  it("splits at a separator, wherever the chunks end", async () => {
    const long = "word ".repeat(400_000);
    await using files = await tempDir({
      "a.txt": `one<|endoftext|>${long}<|endoftext|>\n<|endoftext|>two`,
    });
    const documents = await documentsOf([
      { path: files.path("a.txt"), separator: "<|endoftext|>" },
    ]);
    expect(documents.map(({ length }) => length)).toEqual([3, long.length, 3]);
  });

  it("takes CRLF for a line end, in separators and wherever the chunks end", async () => {
    const paragraphs = Array.from({ length: 200 }, (_, i) => `paragraph ${i},\r\nsecond line`);
    const text = paragraphs.join("\r\n\r\n");
    await using files = await tempDir({
      "a.txt": text,
      "b.txt": `${"x".repeat(2 ** 20 - 1)}\r\ny`,
    });
    const expected = paragraphs.map((paragraph) => paragraph.replace("\r\n", "\n"));
    for (const separator of ["\n\n", "\r\n\r\n"]) {
      expect(await documentsOf([{ path: files.path("a.txt"), separator }])).toEqual(expected);
    }
    const [cut] = await documentsOf([files.path("b.txt")]);
    expect(cut!.slice(-3)).toBe("x\ny");
  });

  it("hands a long document over in parts that join to it", async () => {
    const text = "some words and a line\n".repeat(200_000);
    await using files = await tempDir({ "a.txt": text });
    const parts = await collect(readDocuments([files.path("a.txt")]));
    expect(parts.length).toBeGreaterThan(3);
    expect(parts.map(({ first }) => first).lastIndexOf(true)).toBe(0);
    expect(parts.map(({ last }) => last).indexOf(true)).toBe(parts.length - 1);
    expect(parts.map((part) => part.text).join("") === text).toBe(true);
  });

  it("skips malformed records up to the limit, over all files", async () => {
    await using files = await tempDir({
      "a.jsonl": `{"text":"one"}\n{"text":\n{"body":"x"}\n`,
      "b.jsonl": `{"text":5}\n{"text":"two"}\n`,
    });
    const bad: BadRecord[] = [];
    const options = { maxBadRecords: 3, onBadRecord: (record: BadRecord) => bad.push(record) };
    expect(await documentsOf([files.dir], options)).toEqual(["one", "two"]);
    expect(bad.map(({ file, line }) => `${file.slice(-7)}:${line}`)).toEqual([
      "a.jsonl:2",
      "a.jsonl:3",
      "b.jsonl:1",
    ]);
    const stop = documentsOf([files.dir], { maxBadRecords: 2 });
    await expect(stop).rejects.toThrow(/b\.jsonl:1: "text" must be a string.*maxBadRecords is 2/);
    await expect(documentsOf([files.dir])).rejects.toThrow(/a\.jsonl:2: not valid JSON/);
  });

  it("takes the text from another field, and says how to choose one", async () => {
    await using files = await tempDir({ "a.jsonl": `{"body":"x","id":1}\n` });
    const path = files.path("a.jsonl");
    expect(await documentsOf([{ path, textField: "body" }])).toEqual(["x"]);
    await expect(documentsOf([path])).rejects.toThrow(
      'no field "text" with the text (choose one with textField)',
    );
  });

  it("reports missing paths and folders without text", async () => {
    await using files = await tempDir({ "a.png": "x" });
    await expect(documentsOf([files.path("none")])).rejects.toThrow("there is no file or folder");
    await expect(documentsOf([files.dir])).rejects.toThrow("holds no file of data (.txt, .md");
  });
});
