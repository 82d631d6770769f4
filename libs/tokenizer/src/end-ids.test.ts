import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadTokenizer, saveTokenizer, tokenizerFromFiles } from "./load-tokenizer.js";
import { trainBpe } from "./train-bpe.js";

const CHATML = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

const CHATML_TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + " +
  "'<|im_end|>\\n' }}{% endfor %}";

/** A base model's tokenizer: its `eos_token` ends documents, another token ends a turn. */
async function baseFiles(specialTokens: readonly string[] = CHATML) {
  const trained = await trainBpe(["a"], { vocabSize: 256 + specialTokens.length, specialTokens });
  return {
    "tokenizer.json": trained.files()["tokenizer.json"]!,
    "tokenizer_config.json": JSON.stringify({
      eos_token: specialTokens[0],
      ...(specialTokens === CHATML ? { chat_template: CHATML_TEMPLATE } : {}),
    }),
  };
}

const generationConfig = (fields: object) => ({ "generation_config.json": JSON.stringify(fields) });

async function tempDir(files: Readonly<Record<string, string>>) {
  const path = await mkdtemp(join(tmpdir(), "ends-"));
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

describe("Tokenizer.endIds", () => {
  it("begin with the token that ends a turn, then the eos that ends documents", async () => {
    expect(tokenizerFromFiles(await baseFiles()).endIds).toEqual([2, 0]);
  });

  it("are one where a turn ends with the eos, and none where nothing ends", async () => {
    expect((await trainBpe(["a"], { vocabSize: 262 })).endIds).toEqual([2]);
    expect((await trainBpe(["a"], { vocabSize: 256, specialTokens: [] })).endIds).toEqual([]);
  });

  it("keep an eos_token beside chat tokens of our names", async () => {
    const files = await baseFiles(["</s>", "<|user|>", "<|assistant|>", "<|end|>"]);
    expect(tokenizerFromFiles(files).endIds).toEqual([3, 0]);
  });

  it("hold what config.json and generation_config.json list, an id or several", async () => {
    const files = { ...(await baseFiles()), ...generationConfig({ eos_token_id: [0, 7] }) };
    await using dir = await tempDir({ ...files, "config.json": `{"eos_token_id": 9}` });
    expect((await loadTokenizer(dir.path)).endIds).toEqual([2, 0, 7, 9]);
  });

  it("go into generation_config.json, whose other fields stay, and come back from there", async () => {
    const files = { ...(await baseFiles()), ...generationConfig({ top_p: 0.9, eos_token_id: 5 }) };
    const tokenizer = tokenizerFromFiles(files);
    const written = tokenizer.files()["generation_config.json"]!;
    expect(JSON.parse(written)).toEqual({ top_p: 0.9, eos_token_id: [2, 0, 5] });
    expect(tokenizerFromFiles(tokenizer.files()).endIds).toEqual([2, 0, 5]);
  });

  it("are not written beside a tokenizer that is saved alone", async () => {
    await using dir = await tempDir({});
    await saveTokenizer(tokenizerFromFiles(await baseFiles()), dir.path);
    expect(await readdir(dir.path)).not.toContain("generation_config.json");
  });

  for (const [what, text, message] of [
    ["a text", `{"eos_token_id": "x"}`, `eos_token_id must be an id or a list of ids, got "x"`],
    ["a list with a text", `{"eos_token_id": [1, "x"]}`, "must be an id or a list of ids"],
    ["no JSON", "{", "generation_config.json is not valid JSON"],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const files = { ...(await baseFiles()), "generation_config.json": text };
      expect(() => tokenizerFromFiles(files, "models/x")).toThrow(message);
    });
  }
});

describe("hasToken()", () => {
  it("is false for holes in the vocabulary and beyond it", async () => {
    const { "tokenizer.json": text } = await baseFiles([]);
    const json = JSON.parse(text) as Record<string, unknown>;
    const added = { special: true, single_word: false, lstrip: false, rstrip: false };
    json["added_tokens"] = [{ ...added, normalized: false, id: 260, content: "<x>" }];
    const tokenizer = tokenizerFromFiles({ "tokenizer.json": JSON.stringify(json) });
    const has = [-1, 0, 255, 256, 259, 260, 261].map((id) => tokenizer.hasToken(id));
    expect(has).toEqual([false, true, true, false, false, true, false]);
  });
});
