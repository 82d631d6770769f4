import { describe, expect, it } from "vitest";
import { tokenizerFromFiles } from "./load-tokenizer.js";
import { trainBpe } from "./train-bpe.js";
import type { AddedTokenJson, TokenizerJson } from "./tokenizer-json.js";

const PLAIN = {
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: false,
};

/** Bytes alone, the id of a byte being its place in the alphabet, and one added token of id 999. */
async function withToken(content: string, flags: Partial<AddedTokenJson>, normalizer?: string) {
  const trained = await trainBpe(["a"], { vocabSize: 256, specialTokens: [] });
  const json = JSON.parse(trained.files()["tokenizer.json"]!) as TokenizerJson;
  json.added_tokens = [{ ...PLAIN, ...flags, id: 999, content }];
  if (normalizer) json.normalizer = { type: normalizer };
  return tokenizerFromFiles({ "tokenizer.json": JSON.stringify(json) });
}

type Loaded = Awaited<ReturnType<typeof withToken>>;

/** Ids as text, the added token as "█". */
function shown(tokenizer: Loaded, ids: Int32Array): string {
  const bytes = Array.from(ids, (id) =>
    Buffer.from(id === 999 ? "█" : tokenizer.decodeBytes([id])),
  );
  return Buffer.concat(bytes).toString();
}

// What tokenizers 0.23 gives for the same file (encode_special_tokens on).
const EXPECTED: [string, Partial<AddedTokenJson>, Record<string, string>][] = [
  ["<m>", {}, { "a <m> b": "a █ b", "<m><m>": "██", "x<m>y": "x█y" }],
  ["<m>", { lstrip: true }, { "a \n\t<m> b": "a█ b", "<m>  <m>": "██", "  <m>": "█" }],
  ["<m>", { rstrip: true }, { "a <m> \u3000b": "a █b", "<m>  <m>": "██", "<m>  ": "█" }],
  ["<m>", { lstrip: true, rstrip: true }, { "a  <m>  <m>  b": "a██b" }],
  [
    "cat",
    { single_word: true },
    { cat: "█", "a cat.": "a █.", "cats cat_ cat": "cats cat_ █", "écat cat": "écat █" },
  ],
  ["<m>", { special: true }, { "a <m> b": "a <m> b" }],
];

describe("added tokens", () => {
  for (const [content, flags, texts] of EXPECTED) {
    it(`${content} with ${JSON.stringify(flags)} are found as Hugging Face finds them`, async () => {
      const tokenizer = await withToken(content, flags);
      for (const [text, expected] of Object.entries(texts)) {
        expect(shown(tokenizer, tokenizer.encode(text))).toBe(expected);
        expect(tokenizer.encodeBytes(Buffer.from(text))).toEqual(tokenizer.encode(text));
      }
    });
  }

  it("are looked for before or after normalizing, as each says", async () => {
    const composed = "\u00e9"; // é, which NFD takes apart
    const before = await withToken(composed, {}, "NFD");
    expect([...before.encode(composed)]).toEqual([999]);
    expect(before.encode("e\u0301")).not.toContain(999);
    const after = await withToken(composed, { normalized: true }, "NFD");
    expect([...after.encode("e\u0301")]).toEqual([999]);
    expect([...after.encode(composed)]).toEqual([999]);
  });

  it("and the normalizer are for bytes what they are for text", async () => {
    const tokenizer = await withToken("<m>", {}, "NFC");
    const text = "e\u0301 <m>";
    expect(tokenizer.encodeBytes(Buffer.from(text))).toEqual(tokenizer.encode(text));
    const broken = Buffer.concat([Buffer.from("<m>"), Buffer.of(0xff), Buffer.from("<m>")]);
    const ids = tokenizer.encodeBytes(broken);
    expect([ids[0], ids.length, ids.at(-1)]).toEqual([999, 3, 999]);
  });
});
