import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { tokenizerFromFiles } from "./load-tokenizer.js";
import type { TokenizerJson } from "./tokenizer-json.js";

// What Hugging Face `tokenizers` gives for the same files; made by golden/make-models.py.
const golden = JSON.parse(
  readFileSync(new URL("../golden/models.json", import.meta.url), "utf8"),
) as {
  texts: string[];
  tokenizers: Record<
    string,
    { tokenizer: TokenizerJson; text: number[][]; special: number[][]; decoded: string[] }
  >;
};

describe("models that are not byte-level", () => {
  for (const [name, { tokenizer: json, ...expected }] of Object.entries(golden.tokenizers)) {
    const load = () => tokenizerFromFiles({ "tokenizer.json": JSON.stringify(json) });
    it(`gives the ids of Hugging Face for ${name}, special strings as text and read`, () => {
      const tokenizer = load();
      golden.texts.forEach((text, i) => {
        expect([...tokenizer.encode(text)], JSON.stringify(text)).toEqual(expected.text[i]);
        const read = tokenizer.encodeWithSpecials(text);
        expect([...read], JSON.stringify(text)).toEqual(expected.special[i]);
      });
    });

    it(`decodes as Hugging Face for ${name}, whole and as a stream`, () => {
      const tokenizer = load();
      expected.decoded.forEach((text, i) => {
        const ids = expected.special[i]!;
        expect(tokenizer.decode(ids, { skipSpecials: false }), text).toBe(text);
        const stream = tokenizer.streamDecoder();
        const streamed = ids.map((id) => stream.push(id)).join("") + stream.flush();
        expect(streamed).toBe(tokenizer.decode(ids));
        const whole = tokenizer.streamDecoder();
        expect(whole.push(ids) + whole.flush()).toBe(streamed);
      });
    });
  }

  it("leaves the space before a text out of its text, not out of its tokens", () => {
    const tokenizer = tokenizerFromFiles({
      "tokenizer.json": JSON.stringify(golden.tokenizers["llama2"]!.tokenizer),
    });
    const ids = tokenizer.encode("the cat");
    expect(tokenizer.decode(ids)).toBe("the cat");
    const bytes = Array.from(ids, (id) => Buffer.from(tokenizer.decodeBytes([id])).toString());
    expect(bytes.join("")).toBe(" the cat");
  });

  it("takes bytes on the same road as text, and as bytes what is no text", () => {
    const tokenizer = tokenizerFromFiles({
      "tokenizer.json": JSON.stringify(golden.tokenizers["llama2"]!.tokenizer),
    });
    for (const text of golden.texts) {
      expect(tokenizer.encodeBytes(Buffer.from(text))).toEqual(tokenizer.encode(text));
    }
    const bytes = Uint8Array.of(0x61, 0xff, 0x62);
    expect([...tokenizer.decodeBytes(tokenizer.encodeBytes(bytes))]).toContain(0xff);
  });
});
