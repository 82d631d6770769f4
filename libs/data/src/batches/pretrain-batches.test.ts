import { trainBpe, trainCharTokenizer, type Tokenizer } from "@stagecraft/tokenizer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collect, tempDir } from "../../test/temp-dir.js";
import { prepareCorpus } from "../corpus/prepare-corpus.js";
import type { PreparedCorpus } from "../corpus/prepared-corpus.js";
import type { BatchSource, TokenBatch } from "../types.js";
import { openPretrainBatches } from "./pretrain-batches.js";

const WORDS = ["alpha", "be", "gamma rays", "the delta of the river", "x", "é👋 epsilon"];
const DOCUMENTS = Array.from({ length: 60 }, (_, i) => `${i} ${WORDS[i % 6]}`.repeat(1 + (i % 4)));

let files: Awaited<ReturnType<typeof tempDir>>;
let tokenizer: Tokenizer;
let corpus: PreparedCorpus;
beforeAll(async () => {
  files = await tempDir({ "a.jsonl": DOCUMENTS.map((text) => JSON.stringify(text)).join("\n") });
  tokenizer = await trainBpe(DOCUMENTS, { vocabSize: 300 });
  const sources = [{ path: files.path("a.jsonl") }];
  corpus = await prepareCorpus({
    ...{ sources, tokenizer, cacheDir: files.path("cache"), validationFraction: 0.2 },
  });
});
afterAll(async () => {
  corpus.close();
  await files[Symbol.asyncDispose]();
});

const base = { split: "train", batchSize: 3, length: 24, seed: 5 } as const;
const MODES = ["random-window", "packed", "contiguous"] as const;

async function take(source: BatchSource, count: number): Promise<TokenBatch[]> {
  async function* batches() {
    for (let i = 0; i < count; i++) yield await source.next();
  }
  return collect(batches());
}

describe("openPretrainBatches()", () => {
  for (const mode of MODES) {
    it(`resumes ${mode} exactly, within an epoch and over its end`, async () => {
      const whole = await take(openPretrainBatches(corpus, { ...base, mode }), 60);
      for (const at of [0, 1, 7, 41]) {
        const interrupted = openPretrainBatches(corpus, { ...base, mode });
        await take(interrupted, at);
        const resumed = openPretrainBatches(corpus, { ...base, mode });
        await resumed.seek(JSON.parse(JSON.stringify(interrupted.position())) as never);
        expect(await take(resumed, 60 - at)).toEqual(whole.slice(at));
      }
    });

    it(`keeps the arrays of ${mode} consistent`, async () => {
      for (const batch of await take(openPretrainBatches(corpus, { ...base, mode }), 30)) {
        checkBatch(batch, tokenizer);
      }
    });

    it(`gives other batches in ${mode} for another seed`, async () => {
      const [one] = await take(openPretrainBatches(corpus, { ...base, mode }), 1);
      const [two] = await take(openPretrainBatches(corpus, { ...base, mode, seed: 6 }), 1);
      expect(two!.ids).not.toEqual(one!.ids);
    });
  }

  it("packs every document once an epoch, each in a segment of its own", async () => {
    const source = openPretrainBatches(corpus, { ...base, mode: "packed", length: 128 });
    const texts: string[] = [];
    for (const batch of await take(source, source.batchesPerEpoch!)) {
      for (const { ids } of segmentsOf(batch)) texts.push(tokenizer.decode(ids));
    }
    const stream = corpus.train.streams[0]!;
    const all = tokenizer.decode(stream.read(0, stream.numTokens), { skipSpecials: false });
    const expected = all
      .split("<|bos|>")
      .slice(1)
      .map((text) => text.replace("<|end|>", ""));
    expect(texts.sort()).toEqual(expected.sort());
  });

  it("counts exactly the bytes of the text in text targets", async () => {
    for (const mode of ["packed", "contiguous"] as const) {
      const options = { ...base, split: "validation", mode, textTargetsOnly: true } as const;
      const source = openPretrainBatches(corpus, options);
      const batches = await take(source, source.batchesPerEpoch!);
      const numBytes = batches.reduce((sum, batch) => sum + batch.numTargetBytes, 0);
      expect(numBytes).toBe(corpus.validation.numBytes);
      for (const { targets } of batches) {
        for (const target of targets) {
          if (target >= 0) expect(tokenizer.byteLengths[target]).toBeGreaterThan(0);
        }
      }
    }
  });

  it("draws random windows as slices of the stream, weighted by size and weight", async () => {
    const text = { "a.txt": "a".repeat(1000), "b.txt": "b".repeat(1000) };
    await using two = await tempDir(text);
    const chars = await trainCharTokenizer(["ab"], { specialTokens: [] });
    const mixed = await prepareCorpus({
      ...{ tokenizer: chars, cacheDir: two.path("cache") },
      sources: [{ path: two.path("a.txt"), weight: 3 }, { path: two.path("b.txt") }],
    });
    const options = { ...base, mode: "random-window", batchSize: 400, length: 8 } as const;
    const [batch] = await take(openPretrainBatches(mixed, options), 1);
    let fromA = 0;
    for (let row = 0; row < 400; row++) {
      const ids = batch!.ids.slice(row * 8, row * 8 + 8);
      expect(new Set(ids).size).toBe(1); // windows never cross sources
      if (ids[0] === 0) fromA++;
    }
    expect(Math.abs(fromA - 300)).toBeLessThan(5 * 8.7); // √(400·¾·¼) = 8.7
    expect(batch!.numTargets).toBe(3200);
    expect(batch!.numTargetBytes).toBe(3200);
    mixed.close();
  });

  it("repeats sources by weight in training and measures held-out text once", async () => {
    const path = files.path("a.jsonl");
    const twice = await prepareCorpus({
      ...{ sources: [{ path, weight: 2 }], tokenizer, cacheDir: files.path("cache") },
      validationFraction: 0.2,
    });
    expect(twice.reused).toBe(true); // weights are no part of the cache
    const numTargets = async (from: PreparedCorpus, split: "train" | "validation") => {
      const source = openPretrainBatches(from, { ...base, split, mode: "contiguous" });
      const batches = await take(source, source.batchesPerEpoch!);
      return batches.reduce((sum, batch) => sum + batch.numTargets, 0);
    };
    expect(await numTargets(twice, "train")).toBe(2 * (await numTargets(corpus, "train")));
    expect(await numTargets(twice, "validation")).toBe(await numTargets(corpus, "validation"));
    twice.close();
  });

  it("refuses a split that is shorter than a window, and foreign positions", async () => {
    const open = () => openPretrainBatches(corpus, { ...base, mode: "random-window", length: 1e6 });
    expect(open).toThrow("and a window needs 1000001");
    const source = openPretrainBatches(corpus, { ...base, mode: "packed" });
    await expect(source.seek({ batch: 3 })).rejects.toThrow(`needs "epoch"`);
  });
});

/** The stretches of equal segment numbers, row by row. */
function segmentsOf(batch: TokenBatch) {
  const found: { ids: number[]; targets: number[]; positions: number[] }[] = [];
  for (let at = 0; at < batch.ids.length; at++) {
    if (batch.segments[at] === 0) continue;
    const starts = at % batch.length === 0 || batch.segments[at] !== batch.segments[at - 1];
    if (starts) found.push({ ids: [], targets: [], positions: [] });
    const segment = found.at(-1)!;
    segment.ids.push(batch.ids[at]!);
    segment.targets.push(batch.targets[at]!);
    segment.positions.push(batch.positions[at]!);
  }
  return found;
}

function checkBatch(batch: TokenBatch, { specials, byteLengths }: Tokenizer): void {
  let numTargets = 0;
  let numTargetBytes = 0;
  for (const { ids, targets, positions } of segmentsOf(batch)) {
    expect(positions).toEqual(ids.map((_, i) => i));
    targets.forEach((target, i) => {
      // Inside a segment the target is the next input; <|bos|> is never one.
      if (i + 1 < ids.length) expect(target).toBe(ids[i + 1] === specials.bos ? -1 : ids[i + 1]);
      if (target >= 0) numTargets++;
      if (target >= 0) numTargetBytes += byteLengths[target]!;
    });
  }
  for (let at = 0; at < batch.ids.length; at++) {
    if (batch.segments[at] === 0)
      expect([batch.ids[at], batch.targets[at]]).toEqual([specials.pad, -1]);
  }
  expect([batch.numTargets, batch.numTargetBytes]).toEqual([numTargets, numTargetBytes]);
}
