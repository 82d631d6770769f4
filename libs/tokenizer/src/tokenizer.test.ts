import { createRandom } from "@stagecraft/core";
import { beforeAll, describe, expect, it } from "vitest";
import { trainBpe } from "./train-bpe.js";
import { trainCharTokenizer } from "./train-char-tokenizer.js";
import type { Tokenizer } from "./tokenizer.js";

const TEXT = "The cat sat on the mat. Grüße, 日本 👋🏽! The cats' hats.\n".repeat(20);
const UNICODE = "日本語 👨‍👩‍👧‍👦 e\u0301 \ufeff\u0000\u0085 🇩🇪 नमस्ते \u{10ffff}\r\n\t";

let bpe: Tokenizer;
let charsWithBytes: Tokenizer;
beforeAll(async () => {
  bpe = await trainBpe([TEXT], { vocabSize: 320 });
  charsWithBytes = await trainCharTokenizer([TEXT], { byteFallback: true });
});

describe("round trips", () => {
  it("restore any text", () => {
    for (const tokenizer of [bpe, charsWithBytes]) {
      for (const text of ["", TEXT, UNICODE, UNICODE.repeat(3000), "<|end|><|bos|>"]) {
        expect(tokenizer.decode(tokenizer.encode(text)) === text).toBe(true);
      }
    }
  });

  it("restore fuzzed bytes, valid UTF-8 or not", () => {
    const random = createRandom("bytes");
    for (let round = 0; round < 300; round++) {
      const spread = random.pick([256, 0x90, 0xf8]);
      const length = random.nextInt(80);
      const bytes = Uint8Array.from({ length }, () => random.nextInt(spread) + 256 - spread);
      for (const tokenizer of [bpe, charsWithBytes]) {
        expect(tokenizer.decodeBytes(tokenizer.encodeBytes(bytes))).toEqual(bytes);
      }
    }
  });

  it("treat a lone surrogate as U+FFFD", () => {
    for (const tokenizer of [bpe, charsWithBytes]) {
      expect(tokenizer.decode(tokenizer.encode("a\ud800b"))).toBe("a\ufffdb");
    }
  });
});

describe("encode()", () => {
  it("never reads special tokens out of text", () => {
    for (const tokenizer of [bpe, charsWithBytes]) {
      const ids = tokenizer.encode("<|user|>x<|end|>");
      expect(Math.min(...ids)).toBeGreaterThan(5); // ids 0 … 5 are the specials
    }
  });

  it("gives the same ids cold, cached, from bytes, and as a whole or in windows", async () => {
    const long = TEXT.repeat(100);
    const cold = (await trainBpe([TEXT], { vocabSize: 320 })).encode(long);
    const once = bpe.encode(TEXT);
    expect(bpe.encode(long)).toEqual(cold);
    expect(bpe.encodeBytes(Buffer.from(long))).toEqual(cold);
    expect(cold.length).toBe(once.length * 100);
  });

  it("merges a word of a million letters in time linear in it, up to a logarithm", () => {
    const ids = bpe.encode("the".repeat(333_333));
    expect(bpe.decode(ids).length).toBe(999_999);
  });
});

describe("decode()", () => {
  it("skips special tokens unless asked", () => {
    const ids = [bpe.specials.bos!, ...bpe.encode("cat"), bpe.specials.eos!];
    expect(bpe.decode(ids)).toBe("cat");
    expect(bpe.decode(ids, { skipSpecials: false })).toBe("<|bos|>cat<|end|>");
  });

  it("refuses ids outside the vocabulary", () => {
    for (const id of [-1, bpe.vocabSize, 1.5, NaN]) {
      expect(() => bpe.decode([id])).toThrow(`outside the vocabulary of ${bpe.vocabSize}`);
    }
  });

  it("counts the bytes of every token", () => {
    const ids = bpe.encode(UNICODE);
    const sum = ids.reduce((total, id) => total + bpe.byteLengths[id]!, 0);
    expect(sum).toBe(Buffer.byteLength(UNICODE));
    expect([...bpe.byteLengths.slice(0, 6)]).toEqual([0, 0, 0, 0, 0, 0]);
  });
});

describe("streamDecoder()", () => {
  it("emits whole characters only, and all of the text", () => {
    for (const tokenizer of [bpe, charsWithBytes]) {
      const decoder = tokenizer.streamDecoder();
      const parts = Array.from(tokenizer.encode(UNICODE), (id) => decoder.push(id));
      expect(parts.join("")).not.toContain("\ufffd");
      expect(parts.join("") + decoder.flush()).toBe(UNICODE);
    }
  });

  it("gives the same text of ids together, wherever they are cut", () => {
    for (const tokenizer of [bpe, charsWithBytes]) {
      const ids = Array.from(tokenizer.encode(UNICODE));
      for (let cut = 0; cut <= ids.length; cut++) {
        const decoder = tokenizer.streamDecoder();
        const parts = [ids.slice(0, cut), ids.slice(cut)].map((part) => decoder.push(part));
        expect(parts.join("") + decoder.flush()).toBe(UNICODE);
      }
    }
  });

  it("turns what never became a character into U+FFFD, and starts afresh", () => {
    const decoder = bpe.streamDecoder();
    const [first] = bpe.encodeBytes(Uint8Array.of(0xf0, 0x9f));
    expect(decoder.push(first!)).toBe("");
    expect(decoder.flush()).toBe("\ufffd");
    expect(decoder.push(bpe.encode("a")[0]!)).toBe("a");
  });
});
