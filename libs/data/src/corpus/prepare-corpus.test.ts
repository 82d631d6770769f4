import { readdir, rm, truncate, writeFile } from "node:fs/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { trainBpe, trainCharTokenizer, type Tokenizer } from "@stagecraft/tokenizer";
import { beforeAll, describe, expect, it } from "vitest";
import { tempDir } from "../../test/temp-dir.js";
import { prepareCorpus } from "./prepare-corpus.js";
import type { CorpusSplit } from "./prepared-corpus.js";

let bpe: Tokenizer;
beforeAll(async () => (bpe = await trainBpe(["the cat sat on the mat"], { vocabSize: 280 })));

const tokensOf = (split: CorpusSplit) =>
  split.streams.flatMap((stream) => [...stream.read(0, stream.numTokens)]);
const spell = (tokenizer: Tokenizer, split: CorpusSplit) =>
  tokenizer.decode(tokensOf(split), { skipSpecials: false });

describe("prepareCorpus()", () => {
  it("puts <|bos|> before and <|end|> after every document", async () => {
    await using files = await tempDir({ "a.jsonl": `"the cat"\n"sat"\n`, "b.txt": "on <|end|>" });
    await using cache = await tempDir();
    const corpus = await prepareCorpus({
      sources: [{ path: files.dir }],
      tokenizer: bpe,
      cacheDir: cache.dir,
    });
    expect(spell(bpe, corpus.train)).toBe(
      "<|bos|>the cat<|end|><|bos|>sat<|end|><|bos|>on <|end|><|end|>",
    );
    expect(corpus.train.numDocuments).toBe(3);
    expect(corpus.train.numBytes).toBe("the catsaton <|end|>".length);
    expect(tokensOf(corpus.train).filter((id) => id === bpe.specials.eos).length).toBe(3);
    corpus.close();
  });

  it("splits the tail off as nanoGPT does, by characters", async () => {
    const text = "abcdefghi👋".repeat(100) + "xyz";
    await using files = await tempDir({ "a.txt": text });
    await using cache = await tempDir();
    const tokenizer = await trainCharTokenizer([text], { specialTokens: [] });
    const corpus = await prepareCorpus({
      ...{ sources: [{ path: files.path("a.txt") }], tokenizer, cacheDir: cache.dir },
      ...{ validationFraction: 0.1, split: "tail" as const },
    });
    const chars = [...text];
    const cut = Math.floor(chars.length * 0.9);
    expect(spell(tokenizer, corpus.train)).toBe(chars.slice(0, cut).join(""));
    expect(spell(tokenizer, corpus.validation)).toBe(chars.slice(cut).join(""));
    expect([corpus.train.numChars, corpus.validation.numChars]).toEqual([902, 101]);
    corpus.close();
  });

  it("holds documents out by their content, equal ones together", async () => {
    const lines = Array.from({ length: 2000 }, (_, i) => `"document ${i % 1000}"`).join("\n");
    await using files = await tempDir({ "a.jsonl": lines });
    await using cache = await tempDir();
    const corpus = await prepareCorpus({
      ...{ sources: [{ path: files.dir }], tokenizer: bpe, cacheDir: cache.dir },
      validationFraction: 0.1,
    });
    const held = spell(bpe, corpus.validation).split("<|bos|>").slice(1);
    const kept = new Set(spell(bpe, corpus.train).split("<|bos|>").slice(1));
    expect(held.length).toBeGreaterThan(120);
    expect(held.length).toBeLessThan(280); // 200 ± 4 standard errors of 19 (documents come twice)
    expect(held.some((document) => kept.has(document))).toBe(false);
    corpus.close();
  });

  for (const [what, files] of [
    ["one document", { "a.txt": "0123456789".repeat(10) }],
    [
      "documents that the hash puts on one side",
      { "a.jsonl": `"${"01234".repeat(10)}"\n`.repeat(2) },
    ],
  ] as const) {
    it(`holds the tail out, and says so, of ${what} split by documents`, async () => {
      await using folder = await tempDir(files);
      await using cache = await tempDir();
      const tokenizer = await trainCharTokenizer(["0123456789"], { specialTokens: [] });
      const notices: string[] = [];
      const corpus = await prepareCorpus({
        ...{ sources: [{ path: folder.dir }], tokenizer, cacheDir: cache.dir },
        ...{ validationFraction: 0.1, onNotice: (message: string) => notices.push(message) },
      });
      expect([corpus.train.numChars, corpus.validation.numChars]).toEqual([90, 10]);
      expect(notices).toEqual([expect.stringContaining("the last part of the text is held out")]);
      corpus.close();
    });
  }

  it("uses the cache again until a text, the tokenizer or the split changes", async () => {
    await using files = await tempDir({ "a.txt": "the cat", "b.txt": "sat" });
    await using cache = await tempDir();
    const run = async (change: object = {}) => {
      const sources = [{ path: files.path("a.txt") }, { path: files.path("b.txt"), weight: 2 }];
      const corpus = await prepareCorpus({
        sources,
        tokenizer: bpe,
        cacheDir: cache.dir,
        ...change,
      });
      corpus.close();
      return corpus.reused;
    };
    expect(await run()).toBe(false);
    expect(await run()).toBe(true);
    expect(await run({ shardTokens: 2 })).toBe(false);
    expect(await run({ tokenizer: await trainBpe(["other"], { vocabSize: 262 }) })).toBe(false);
    await writeFile(files.path("b.txt"), "SAT");
    expect(await run()).toBe(false);
    expect(await run()).toBe(true);
  });

  it("never takes a damaged or unfinished cache for a whole one", async () => {
    await using files = await tempDir({ "a.txt": "the cat sat on the mat" });
    await using cache = await tempDir();
    const options = { sources: [{ path: files.dir }], tokenizer: bpe, cacheDir: cache.dir };
    const first = await prepareCorpus(options);
    const expected = tokensOf(first.train);
    first.close();
    for (const damage of [
      (dir: string) => truncate(`${dir}/source-0.train.0000.tokens`, 4),
      (dir: string) => rm(`${dir}/source-0.train.documents`),
      (dir: string) => rm(`${dir}/manifest.json`),
      (dir: string) => writeFile(`${dir}/manifest.json`, `{"format":`),
    ]) {
      await damage(first.dir);
      const corpus = await prepareCorpus(options);
      expect(corpus.reused).toBe(false);
      expect(tokensOf(corpus.train)).toEqual(expected);
      corpus.close();
    }
  });

  it("leaves nothing behind when it fails or is stopped", async () => {
    await using files = await tempDir({ "a.txt": "good text", "b.txt": Buffer.from([0x61, 0xff]) });
    await using cache = await tempDir();
    const options = { sources: [{ path: files.dir }], tokenizer: bpe, cacheDir: cache.dir };
    await expect(prepareCorpus(options)).rejects.toThrow(/b\.txt:1: the file is not valid UTF-8/);
    const controller = new AbortController();
    const stopped = prepareCorpus({
      ...{ ...options, sources: [{ path: files.path("a.txt") }] },
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(stopped).rejects.toThrow("[cancelled]");
    expect(await readdir(cache.dir)).toEqual([]);
  });

  for (const [what, content, options, message] of [
    ["an empty file", "", {}, "the corpus is empty: no text in"],
    ["white space", " \n\n", {}, "the corpus is empty"],
    [
      "a text too short to split",
      "t",
      { validationFraction: 0.001 },
      "nothing is left for training",
    ],
    ["a fraction of 1", "text", { validationFraction: 1 }, "at least 0 and below 1"],
    ["a weight of 0", "text", { weight: 0 }, "the weight of"],
  ] as const) {
    it(`refuses ${what}`, async () => {
      await using files = await tempDir({ "a.txt": content });
      await using cache = await tempDir();
      const weight = "weight" in options ? options.weight : 1;
      const prepare = prepareCorpus({
        ...{ sources: [{ path: files.path("a.txt"), weight }], tokenizer: bpe },
        ...{ cacheDir: cache.dir, ...options },
      });
      await expect(prepare).rejects.toThrow(message);
    });
  }

  it("reads the same tokens over shards of any size", async () => {
    await using files = await tempDir({ "a.txt": "the cat sat on the mat. ".repeat(50) });
    await using cache = await tempDir();
    const base = { sources: [{ path: files.dir }], tokenizer: bpe, cacheDir: cache.dir };
    const whole = await prepareCorpus(base);
    const small = await prepareCorpus({ ...base, shardTokens: 7 });
    expect(tokensOf(small.train)).toEqual(tokensOf(whole.train));
    expect(small.manifest.sources[0]!.splits.train.shards.length).toBeGreaterThan(20);
    expect(() => whole.train.streams[0]!.read(whole.train.numTokens - 1, 2)).toThrow(RangeError);
    whole.close();
    small.close();
  });

  it("keeps memory flat while a 48 MB file passes through", async () => {
    setFlagsFromString("--expose-gc");
    const collectGarbage = runInNewContext("gc") as () => void;
    const line = "the cat sat on the mat and the mat sat on the cat\n";
    await using files = await tempDir({ "big.txt": line.repeat(960_000) });
    await using cache = await tempDir();
    const live = () => {
      collectGarbage();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const before = live();
    let peak = 0;
    let calls = 0;
    const corpus = await prepareCorpus({
      ...{ sources: [{ path: files.dir }], tokenizer: bpe, cacheDir: cache.dir },
      onProgress: () => {
        if (calls++ % 8 === 0) peak = Math.max(peak, live() - before);
      },
    });
    expect(corpus.train.numBytes).toBe(line.length * 960_000);
    expect(calls).toBeGreaterThan(40);
    expect(peak).toBeLessThan(24 * 2 ** 20); // half the file; a part is 1 MiB of text
    corpus.close();
  });
});
