import { describe, expect, it } from "vitest";
import { createRandom } from "@stagecraft/core";
import { trainBpe } from "./train-bpe.js";
import type { TokenizerJson } from "./tokenizer-json.js";
import type { Tokenizer } from "./tokenizer.js";

const merges = (tokenizer: Tokenizer) =>
  (JSON.parse(tokenizer.files()["tokenizer.json"]!) as TokenizerJson).model.merges;

describe("trainBpe()", () => {
  it("merges the most frequent pair first, as worked by hand", async () => {
    // Words: "aaab" ×2, " aab" ×2. Pairs: a a = 2·2 + 2·1 = 6, a b = 4, "Ġ a" = 2.
    // After "aa": aaab → aa a b, " aab" → Ġ aa b: each pair 2; the smallest ids go first,
    // where letters come before Ġ and both before the new token: a b, then aa b? no: "a b" = 2.
    const tokenizer = await trainBpe(["aaab aab", "aaab aab"], { vocabSize: 262 + 3 });
    expect(merges(tokenizer)).toEqual(["a a", "a b", "Ġ aa"]);
  });

  it("equals a slow trainer that recounts everything after every merge", async () => {
    const random = createRandom("slow-bpe");
    for (let round = 0; round < 20; round++) {
      const words = Array.from({ length: 12 }, () =>
        Array.from({ length: 1 + random.nextInt(9) }, () => "abc"[random.nextInt(3)]).join(""),
      );
      const text = words.join("\n");
      const tokenizer = await trainBpe([text], { vocabSize: 262 + 15, minFrequency: 2 });
      expect(merges(tokenizer), text).toEqual(slowMerges(words, 15));
    }
  });

  it("depends on the texts only, not on their order", async () => {
    const texts = ["the cat sat", "on the mat", "that is that", "the end of the cat"];
    const one = await trainBpe(texts, { vocabSize: 290 });
    const two = await trainBpe([...texts].reverse(), { vocabSize: 290 });
    expect(two.fingerprint).toBe(one.fingerprint);
  });

  it("never makes a special token out of text", async () => {
    const texts = ["<|end|><|end|><|end|>"];
    const tokenizer = await trainBpe(texts, { vocabSize: 400, pattern: "[^\\n]+" });
    expect(tokenizer.encode("<|end|>").includes(tokenizer.specials.eos!)).toBe(false);
    expect(tokenizer.decode(tokenizer.encode("<|end|>"))).toBe("<|end|>");
  });

  it("stops when the text has no more pairs", async () => {
    expect((await trainBpe(["abab"], { vocabSize: 5000 })).vocabSize).toBe(262 + 1);
  });

  it("learns from invalid bytes and long texts in windows", async () => {
    const bytes = Uint8Array.from({ length: 400 }, (_, i) => (i % 2 ? 0xff : 0xfe));
    const tokenizer = await trainBpe([bytes], { vocabSize: 300 });
    expect(tokenizer.encodeBytes(bytes).length).toBeLessThan(20);
    const long = "word ".repeat(60_000);
    const whole = await trainBpe([long], { vocabSize: 300 });
    const parts = await trainBpe([long.slice(0, 99_999), long.slice(99_999)], { vocabSize: 300 });
    expect(merges(whole)[0]).toBe("o r");
    expect(parts.decode(parts.encode(long))).toBe(long);
  });

  it("reports progress and stops on request", async () => {
    const seen: string[] = [];
    await trainBpe(["a b c"], { vocabSize: 262, onProgress: ({ phase }) => seen.push(phase) });
    expect(seen).toEqual(["counting", "merging"]);
    const controller = new AbortController();
    function* texts() {
      yield "a";
      controller.abort();
      yield "b";
    }
    const run = trainBpe(texts(), { vocabSize: 300, signal: controller.signal });
    await expect(run).rejects.toThrow("[cancelled]");
  });

  for (const [what, texts, options] of [
    ["a vocabulary below the bytes", ["a"], { vocabSize: 261 }],
    ["a fractional vocabulary", ["a"], { vocabSize: 300.5 }],
    ["no text", [], { vocabSize: 300 }],
    ["empty texts", ["", ""], { vocabSize: 300 }],
    ["a special token twice", ["a"], { vocabSize: 300, specialTokens: ["<a>", "<a>"] }],
  ] as const) {
    it(`refuses ${what}`, async () => {
      await expect(trainBpe(texts, options)).rejects.toThrow("[invalid_argument]");
    });
  }
});

/** Textbook BPE on words of letters; ties go to the smaller ids, which letters and time give. */
function slowMerges(words: string[], count: number): string[] {
  // A word takes a preceding newline only as a token of its own, so words are letters here.
  let sequences = words.map((word) => [...word]);
  const order = ["a", "b", "c"];
  const found: string[] = [];
  while (found.length < count) {
    const counts = new Map<string, number>();
    for (const sequence of sequences) {
      for (let i = 0; i + 1 < sequence.length; i++) {
        const pair = `${sequence[i]} ${sequence[i + 1]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    }
    const rank = (pair: string) => {
      const [left, right] = pair.split(" ").map((token) => order.indexOf(token));
      return left! * 10_000 + right!;
    };
    const best = [...counts].sort((x, y) => y[1] - x[1] || rank(x[0]) - rank(y[0]))[0];
    if (!best || best[1] < 2) break;
    found.push(best[0]);
    const joined = best[0].replace(" ", "");
    if (!order.includes(joined)) order.push(joined);
    sequences = sequences.map((sequence) => mergeOnce(sequence, best[0], joined));
  }
  return found;
}

function mergeOnce(sequence: string[], pair: string, joined: string): string[] {
  const merged: string[] = [];
  for (let i = 0; i < sequence.length; i++) {
    const match = `${sequence[i]} ${sequence[i + 1]}` === pair;
    merged.push(match ? joined : sequence[i]!);
    if (match) i++;
  }
  return merged;
}
