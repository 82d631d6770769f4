import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { renderChat, tokenizerFromFiles, trainBpe, trainCharTokenizer } from "./index.js";
import type { TokenizerJson } from "./tokenizer-json.js";
import type { Message } from "./tokenizer.js";

// What Hugging Face `tokenizers` gives for the same texts; made by golden/make-golden.py.
const golden = JSON.parse(
  readFileSync(new URL("../golden/golden.json", import.meta.url), "utf8"),
) as {
  corpus: string[];
  texts: string[];
  own: {
    vocabSize: number;
    vocab: Record<string, number>;
    merges: string[];
    ids: number[][];
    chat: { messages: Message[]; ids: number[] };
  };
  chars: { texts: string[]; ids: number[][] };
  charsWithBytes: { ids: number[][] };
  foreign: Record<string, { tokenizer: TokenizerJson; ids: number[][] }>;
};

const trainOwn = () => trainBpe(golden.corpus, { vocabSize: golden.own.vocabSize });

function expectIds(encode: (text: string) => Int32Array, texts: string[], ids: number[][]): void {
  texts.forEach((text, i) => {
    expect([...encode(text)], JSON.stringify(text)).toEqual(ids[i]);
  });
}

describe("agreement with Hugging Face tokenizers", () => {
  it("learns the same vocabulary and merges as BpeTrainer", async () => {
    const { model } = JSON.parse((await trainOwn()).files()["tokenizer.json"]!) as TokenizerJson;
    expect(model.merges).toEqual(golden.own.merges);
    expect(model.vocab).toEqual(golden.own.vocab);
  });

  it("gives the same ids for adversarial texts", async () => {
    const tokenizer = await trainOwn();
    expectIds(tokenizer.encode, golden.texts, golden.own.ids);
  });

  it("renders a conversation like the chat template in transformers", async () => {
    const { messages, ids } = golden.own.chat;
    const rendered = renderChat(await trainOwn(), messages, { addGenerationPrompt: true });
    expect([...rendered.ids]).toEqual(ids);
  });

  it("gives the same ids for characters, without and with byte fallback", async () => {
    const plain = await trainCharTokenizer(golden.corpus);
    expectIds(plain.encode, golden.chars.texts, golden.chars.ids);
    const withBytes = await trainCharTokenizer(golden.corpus, { byteFallback: true });
    expectIds(withBytes.encode, golden.texts, golden.charsWithBytes.ids);
  });

  for (const [name, { tokenizer: json, ids }] of Object.entries(golden.foreign)) {
    it(`loads a foreign tokenizer.json in the style of ${name}`, () => {
      const tokenizer = tokenizerFromFiles({ "tokenizer.json": JSON.stringify(json) });
      expect(tokenizer.kind).toBe("external");
      expectIds(tokenizer.encode, golden.texts, ids);
    });
  }
});
