import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadTokenizer, saveTokenizer, tokenizerFromFiles } from "./load-tokenizer.js";
import type { TokenizerJson } from "./tokenizer-json.js";
import { trainBpe } from "./train-bpe.js";
import { trainCharTokenizer } from "./train-char-tokenizer.js";

let dir: string;
beforeEach(async () => (dir = await mkdtemp(join(tmpdir(), "tokenizer-"))));
afterEach(() => rm(dir, { recursive: true }));

describe("saveTokenizer() and loadTokenizer()", () => {
  it("give the same tokenizer back, and leave only its files", async () => {
    const bpe = await trainBpe(["the cat the cat"], { vocabSize: 280 });
    const chars = await trainCharTokenizer(["the cat"], { specialTokens: [] });
    for (const tokenizer of [bpe, chars]) {
      await saveTokenizer(tokenizer, join(dir, tokenizer.kind));
      const loaded = await loadTokenizer(join(dir, tokenizer.kind));
      expect(loaded.kind).toBe(tokenizer.kind);
      expect(loaded.fingerprint).toBe(tokenizer.fingerprint);
      expect(loaded.specials).toEqual(tokenizer.specials);
      expect(loaded.encode("the cat")).toEqual(tokenizer.encode("the cat"));
      const names = await readdir(join(dir, tokenizer.kind));
      expect(names.sort()).toEqual(["tokenizer.json", "tokenizer_config.json"]);
    }
  });

  it("keeps the files of a foreign tokenizer as they are and finds its special tokens", async () => {
    const trained = await trainBpe(["a b"], { vocabSize: 300, specialTokens: ["<s>", "</s>"] });
    const config = `{"bos_token": "<s>", "eos_token": {"content": "</s>"}, "pad_token": null}`;
    await writeFile(join(dir, "tokenizer.json"), trained.files()["tokenizer.json"]!);
    await writeFile(join(dir, "tokenizer_config.json"), config);
    const loaded = await loadTokenizer(dir);
    expect(loaded.kind).toBe("external");
    expect(loaded.specials).toMatchObject({ bos: 0, eos: 1, pad: undefined });
    expect(loaded.files()["tokenizer_config.json"]).toBe(config);
  });

  it("says where a tokenizer is missing", async () => {
    await expect(loadTokenizer(join(dir, "none"))).rejects.toThrow(
      /\[not_found\] no tokenizer.json in .*none/,
    );
  });
});

describe("tokenizerFromFiles()", () => {
  const model = (change: object) =>
    JSON.stringify({
      model: { type: "BPE", vocab: {}, merges: [], ...change },
      added_tokens: [],
      pre_tokenizer: { type: "ByteLevel" },
    });
  for (const [what, text, message] of [
    ["no JSON", "{", "tokenizer.json is not valid JSON"],
    ["a list", "[]", "must hold a JSON object"],
    ["no model", "{}", `"model" is missing`],
    ["a vocabulary of strings", model({ vocab: { a: "b" } }), "must map tokens to ids"],
    ["no bytes", model({}), "no token for the byte 0x00"],
    ["WordPiece", model({ type: "WordPiece" }), `uses the model "WordPiece"`],
    [
      "a pre-tokenizer that it does not know",
      `{"model":{"type":"BPE","vocab":{},"merges":[]},"pre_tokenizer":{"type":"BertPreTokenizer"}}`,
      `uses the pre-tokenizer "BertPreTokenizer"`,
    ],
    [
      "a normalizer that it does not know",
      `{"model":{"type":"Unigram","vocab":[["a",-1]]},"normalizer":{"type":"Precompiled"},"decoder":{"type":"Fuse"}}`,
      `uses the normalizer "Precompiled"`,
    ],
    [
      "a decoder that it does not know",
      `{"model":{"type":"Unigram","vocab":[["a",-1]]},"decoder":{"type":"CTC"}}`,
      `uses the decoder "CTC"`,
    ],
    ["a Unigram model without scores", `{"model":{"type":"Unigram","vocab":["a"]}}`, "with scores"],
    ["merges that are numbers", model({ merges: [1] }), "must be a list of pairs"],
  ] as const) {
    it(`refuses ${what}, naming the place`, () => {
      const read = () => tokenizerFromFiles({ "tokenizer.json": text }, "models/x");
      expect(read).toThrow("tokenizer of models/x");
      expect(read).toThrow(message);
    });
  }

  it("refuses by name what would take gigabytes or the whole stack", async () => {
    const trained = await trainBpe(["a b"], { vocabSize: 300 });
    const json = JSON.parse(trained.files()["tokenizer.json"]!) as TokenizerJson;
    const read = (change: Partial<TokenizerJson>) =>
      tokenizerFromFiles({ "tokenizer.json": JSON.stringify({ ...json, ...change }) });
    const vocab = { ...json.model.vocab, far: 2 ** 24 - 1 };
    expect(() => read({ model: { ...json.model, vocab } })).toThrow('most ids of "model.vocab"');
    const open = '{"type":"Sequence","pretokenizers":[';
    const text = JSON.stringify({ ...json, pre_tokenizer: "HERE" });
    const deep = text.replace('"HERE"', `${open.repeat(50_000)}${"]}".repeat(50_000)}`);
    expect(() => tokenizerFromFiles({ "tokenizer.json": deep })).toThrow("nested too deeply");
  });
});
