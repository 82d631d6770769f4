import { describe, expect, it } from "vitest";
import { startOfText } from "./start-of-text.js";
import { tokenizerFromFiles } from "./load-tokenizer.js";
import { specialTokenEntry } from "./tokenizer-json.js";
import { trainBpe } from "./train-bpe.js";

const model = { type: "BPE", vocab: { a: 0 }, merges: [] };
const added_tokens = [specialTokenEntry(1, "<s>"), specialTokenEntry(2, "</s>")];
const decoder = { type: "Sequence", decoders: [{ type: "Fuse" }] };
const load = (post_processor: unknown, config: object = {}) =>
  tokenizerFromFiles({
    "tokenizer.json": JSON.stringify({
      version: "1.0",
      model,
      added_tokens,
      decoder,
      post_processor,
    }),
    "tokenizer_config.json": JSON.stringify({ bos_token: "<s>", eos_token: "</s>", ...config }),
  });
const special = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
const template = (...single: object[]) => ({
  type: "TemplateProcessing",
  single,
  special_tokens: { "<s>": { ids: [1] }, "</s>": { ids: [2] } },
});
const text = { Sequence: { id: "A", type_id: 0 } };
const llama3 = {
  type: "Sequence",
  processors: [{ type: "ByteLevel" }, template(special("<s>"), text)],
};

describe("what a tokenizer puts around a text, as add_special_tokens does", () => {
  const cases: [string, unknown, object, number[], number[]][] = [
    ["Llama 3's sequence", llama3, {}, [1], []],
    ["a template with both", template(special("<s>"), text, special("</s>")), {}, [1], [2]],
    ["bytes alone", { type: "ByteLevel" }, {}, [], []],
    ["RoBERTa's", { type: "RobertaProcessing", cls: ["<s>", 1], sep: ["</s>", 2] }, {}, [1], [2]],
    ["no post-processor", null, {}, [], []],
    ["a flag beside it, which says nothing", llama3, { add_bos_token: false }, [1], []],
  ];
  for (const [what, processor, config, before, after] of cases) {
    it(what, () => {
      expect(load(processor, config).textAffixes).toEqual({ before, after });
    });
  }

  it("refuses a post-processor that it does not know when it is asked for, by name", () => {
    const tokenizer = load({ type: "Other" });
    expect(() => tokenizer.textAffixes).toThrow('the post-processor "Other"');
  });
});

describe("startOfText()", () => {
  it("is the post-processor's of foreign tokenizers, and bos of ours", async () => {
    expect(startOfText(load(llama3))).toEqual([1]);
    expect(startOfText(load({ type: "ByteLevel" }))).toEqual([]);
    const own = await trainBpe(["a"], { vocabSize: 262 });
    expect(startOfText(own)).toEqual([own.specials.bos]);
  });
});
