import { describe, expect, it } from "vitest";
import { tokenizerFromFiles } from "./load-tokenizer.js";
import { checkTextBytes } from "./text-limit.js";
import { trainBpe } from "./train-bpe.js";

const vocab = { "<unk>": 0, a: 1, b: 2 };
const decoder = { type: "Sequence", decoders: [{ type: "Fuse" }] };
const bpe = { type: "BPE", vocab, merges: [], unk_token: "<unk>" };
const tokenizerOf = (json: object) =>
  tokenizerFromFiles({
    "tokenizer.json": JSON.stringify({ version: "1.0", model: bpe, decoder, ...json }),
  });
const unigram = {
  type: "Unigram",
  ...{ vocab: Object.keys(vocab).map((token) => [token, -1]), unk_id: 0 },
};
const space = (behavior: string) => ({ type: "Split", pattern: { String: " " }, behavior });

describe("checkTextBytes()", () => {
  const unbounded: [string, object, string][] = [
    ["unknown characters in a row are one token", { model: { ...bpe, fuse_unk: true } }, "é"],
    ["Unigram reads unknown characters as one", { model: unigram }, "é"],
    ["a normalizer strips", { normalizer: { type: "Strip" } }, " "],
    [
      "a normalizer replaces by less",
      { normalizer: { type: "Replace", pattern: { Regex: "\\s+" }, content: "a" } },
      " ",
    ],
    ["pieces are removed", { pre_tokenizer: space("Removed") }, " "],
  ];
  for (const [what, json, char] of unbounded) {
    it(`refuses no text by its length where ${what}`, () => {
      const tokenizer = tokenizerOf(json);
      const text = char.repeat(10_000);
      expect(tokenizer.encode(text).length).toBeLessThan(2);
      const limits = { tokenizer, maxTokens: 4, field: "prompt" };
      expect(checkTextBytes([text], limits)).toBe(Buffer.byteLength(text));
    });
  }

  it("refuses what has too many tokens for sure", async () => {
    const own = await trainBpe(["ab"], { vocabSize: 262 });
    for (const tokenizer of [own, tokenizerOf({ pre_tokenizer: space("Isolated") })]) {
      const limits = { tokenizer, maxTokens: 4, field: "prompt" };
      expect(() => checkTextBytes(["a".repeat(10_000)], limits)).toThrow(
        "prompt has 10000 bytes of text",
      );
    }
  });
});
