import { writeFile } from "node:fs/promises";
import { initEngine } from "@stagecraft/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import {
  BYTE_LEVEL,
  SPLIT,
  VOCAB_SIZE,
  readGguf,
  save,
  tokenizerJson,
  workshop,
} from "../../test/gguf-files.js";
import { tinyConfig, tinyModel } from "../../test/tiny.js";
import { saveModel } from "../model-files.js";
import { exportGguf } from "./export-gguf.js";
import { LLAMA3 } from "./gguf-pre.js";

beforeAll(() => initEngine({ numThreads: 1 }));

describe("the tokenizer of a GGUF file", () => {
  for (const [changes, problem] of [
    [{ normalizer: { type: "NFC" } }, "a normalizer, which llama.cpp has not; --pre gpt-2|"],
    [
      { pre_tokenizer: { type: "Whitespace" } },
      "it is neither byte-level BPE nor BPE with tokens of bytes",
    ],
    [
      { model: { type: "Unigram", vocab: [] } },
      "it is neither byte-level BPE nor BPE with tokens of bytes",
    ],
    [
      { pre_tokenizer: { type: "Sequence", pretokenizers: [SPLIT, BYTE_LEVEL] } },
      "a pattern of words that llama.cpp has not; --pre gpt-2|",
    ],
  ] as const) {
    it(`is refused where llama.cpp has not such a one: ${problem}`, async () => {
      await using at = await workshop();
      await save(at.model, "llama");
      await writeFile(`${at.model}/tokenizer.json`, JSON.stringify(tokenizerJson(changes)));
      const write = (pre?: string) => exportGguf(at.model, at.file, { dtype: "f32", pre });
      await expect(write()).rejects.toThrow(problem);
      if (problem.includes("--pre")) {
        await expect(write("qwen9")).rejects.toThrow("--pre must be one of gpt-2, llama-bpe");
        expect((await write("qwen2")).notes[0]).toContain("divided into words as qwen2 does");
      }
    });
  }

  /** Metadata and notes of a model with these files beside it. */
  async function written(json: object, files: Record<string, unknown>, pre?: string) {
    await using at = await workshop();
    const texts = Object.entries(files).map(([name, value]) => {
      return [name, typeof value === "string" ? value : JSON.stringify(value)];
    });
    const tiny = tinyModel(tinyConfig("llama", { vocabSize: VOCAB_SIZE }));
    const tokenizerFiles = { "tokenizer.json": JSON.stringify(json), ...Object.fromEntries(texts) };
    await saveModel(at.model, tiny, { tokenizerFiles });
    const { notes } = await exportGguf(at.model, at.file, { dtype: "f32", pre });
    const { metadata } = await readGguf(at.file);
    const field = (name: string) => metadata[`tokenizer.${name}`];
    return { notes, field };
  }

  const named = (...names: string[]) =>
    tokenizerJson({
      added_tokens: names.map((content, i) => ({ id: 3 + i, content, special: true })),
    });
  const template = (token: object) => ({
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>" } }, { Sequence: { id: "A" } }],
      pair: [],
      special_tokens: { "<s>": { id: "<s>", ids: [3], tokens: ["<s>"] } },
    },
    ...token,
  });

  it("is refused where llama.cpp would take a whole word that the merges do not make", async () => {
    const llama3 = {
      type: "Split",
      pattern: { Regex: LLAMA3 },
      behavior: "Isolated",
      invert: false,
    };
    const sequence = {
      type: "Sequence",
      pretokenizers: [llama3, { ...BYTE_LEVEL, use_regex: false }],
    };
    const files = { "tokenizer_config.json": { eos_token: "<s>" } };
    const json = tokenizerJson({ pre_tokenizer: sequence });
    expect((await written(json, files)).field("ggml.pre")).toBe("llama-bpe");
    const unmade = { ...json, model: { ...json.model, merges: [] } };
    for (const pre of [undefined, "llama-bpe"]) {
      const problem = '"ab" is a token that its merges do not';
      await expect(written(unmade, files, pre), pre).rejects.toThrow(problem);
    }
    expect((await written(unmade, files, "qwen2")).notes[0]).toContain("as qwen2 does");
  });

  it("keeps every token that ends an answer, and names those that llama.cpp adds", async () => {
    const json = named("<s>", "<turn>", "<call>", "<|im_end|>");
    const { field, notes } = await written(json, {
      "tokenizer_config.json": { eos_token: "<s>" },
      "generation_config.json": { eos_token_id: [3, 4, 5] },
    });
    const ids = ["eos", "eot", "eom"].map((name) => field(`ggml.${name}_token_id`));
    expect(ids).toEqual([3, 4, 5]);
    expect(notes.slice(1)).toEqual(["llama.cpp also ends an answer at <|im_end|>, by the name"]);
  });

  it("names the added tokens beside which llama.cpp keeps spaces", async () => {
    const token = { id: 3, content: "<s>", special: true, rstrip: true };
    const files = { "tokenizer_config.json": { eos_token: "<s>" } };
    const { notes } = await written(tokenizerJson({ added_tokens: [token] }), files);
    expect(notes).toContain("spaces beside <s> stay: texts with them get other tokens");
  });

  it("is refused with more ends than llama.cpp has places, and without one", async () => {
    const json = named("<s>", "<turn>", "<call>", "<stop>");
    const files = { "generation_config.json": { eos_token_id: [3, 4, 5, 6] } };
    await expect(written(json, files)).rejects.toThrow("leave <stop> out of eos_token_id");
    await expect(written(json, {})).rejects.toThrow("no token ends an answer");
  });

  it("begins texts as the post-processor says, not as a name looks", async () => {
    const config = { bos_token: "<s>", eos_token: "<s>", add_bos_token: true };
    const files = { "tokenizer_config.json": config };
    expect((await written(tokenizerJson(), files)).field("ggml.add_bos_token")).toBe(false);
    const begins = tokenizerJson(template({}));
    expect((await written(begins, files)).field("ggml.add_bos_token")).toBe(true);
    const other = { "tokenizer_config.json": { ...config, bos_token: "<x>" } };
    await expect(written(begins, other)).rejects.toThrow("it puts other tokens around texts");
  });

  it("names what llama.cpp does with spaces of whole texts, and with ends that are no special tokens", async () => {
    const json = tokenizerJson({ added_tokens: [{ id: 3, content: "</s>", special: false }] });
    const { notes } = await written(json, { "tokenizer_config.json": { eos_token: "</s>" } });
    expect(notes).toEqual([
      "where llama.cpp makes a whole text of tokens it leaves out spaces before . , ? !",
      "</s> in a text is a token only where special tokens are read",
    ]);
  });

  it("has the template of a list, and the one for tools", async () => {
    const { field } = await written(tokenizerJson(), {
      "tokenizer_config.json": {
        eos_token: "<s>",
        chat_template: [
          { name: "default", template: "plain" },
          { name: "tool_use", template: "tools" },
        ],
      },
    });
    expect(field("chat_template")).toBe("plain");
    expect(field("chat_template.tool_use")).toBe("tools");
    expect(field("chat_templates")).toEqual(["tool_use"]);
  });
});
