import { describe, expect, it } from "vitest";
import { pieceWords } from "./gguf-pieces.js";
import { byteTokenOf, ggufTokens } from "./gguf-tokens.js";

const LETTERS = ["▁", "a", "b", "c", "\t"];
const BYTES = Array.from({ length: 256 }, (_, byte) => byteTokenOf(byte));

const REPLACE = { type: "Replace", pattern: { String: " " }, content: "▁" };
const PREPEND = { type: "Prepend", prepend: "▁" };
const metaspace = (scheme: string) => ({
  ...{ type: "Metaspace", replacement: "▁", split: false, prepend_scheme: scheme },
});

/** A tokenizer as converters make it of sentencepiece's: every pair that makes a token is a merge. */
function json({
  merges = [["a", "b"]],
  ...changes
}: {
  merges?: readonly (readonly string[])[];
  [part: string]: unknown;
}) {
  const tokens = ["<unk>", "<s>", ...BYTES, ...LETTERS, ...merges.map((pair) => pair.join(""))];
  const vocab = Object.fromEntries([...new Set(tokens)].map((token, id) => [token, id]));
  return {
    added_tokens: [{ id: 1, content: "<s>", special: true }],
    normalizer: { type: "Sequence", normalizers: [PREPEND, REPLACE] },
    pre_tokenizer: null,
    model: { type: "BPE", byte_fallback: true, unk_token: "<unk>", vocab, merges },
    ...changes,
  };
}

function words(changes: Parameters<typeof json>[0], pre?: string) {
  const file = json(changes);
  const { tokens, types } = ggufTokens(file, { vocabSize: 300, isPieces: true });
  const { metadata, notes } = pieceWords(file, { tokens, pre, origin: "models/x" });
  const field = (name: string) => Object.fromEntries(metadata)[`tokenizer.ggml.${name}`];
  const scoreOf = (token: string) => {
    return (field("scores") as { f32s: number[] }).f32s[tokens.indexOf(token)]!;
  };
  return { field, notes, types, tokens, scoreOf };
}

describe("pieceWords()", () => {
  it("has scores that put tokens in the order of the merges, below them what no merge makes", () => {
    const { field, scoreOf, tokens, types } = words({
      merges: [
        ["a", "b"],
        ["ab", "c"],
        ["▁", "a"],
      ],
    });
    expect([field("model"), field("pre")]).toEqual(["llama", "default"]);
    const scores = ["ab", "abc", "▁a", "a", "<s>"].map(scoreOf);
    expect(scores).toEqual([-0, -1, -2, -3, -3]);
    const typeOf = (token: string) => types[tokens.indexOf(token)];
    expect(["<unk>", "<s>", "<0x0A>", "ab"].map(typeOf)).toEqual([2, 3, 6, 1]);
  });

  for (const [changes, prefix] of [
    [{}, true],
    [{ normalizer: REPLACE }, false],
    [{ normalizer: null, pre_tokenizer: metaspace("never") }, false],
  ] as const) {
    it(`begins texts as the tokenizer does: ${JSON.stringify(changes)}`, () => {
      expect(words(changes).field("add_space_prefix")).toBe(prefix);
    });
  }

  for (const [scheme, prefix, note] of [
    ["first", false, "no space is put before a text"],
    ["always", true, "texts that begin with a space get one more"],
  ] as const) {
    it(`takes the nearest of a space before texts that llama.cpp has not once asked to: ${scheme}`, () => {
      const changes = { normalizer: null, pre_tokenizer: metaspace(scheme) };
      expect(() => words(changes)).toThrow(/llama.cpp .*; --pre default takes the nearest: /);
      const { field, notes } = words(changes, "default");
      expect(field("add_space_prefix")).toBe(prefix);
      expect(notes).toEqual([expect.stringContaining(note)]);
      expect(() => words(changes, "qwen2")).toThrow("--pre must be default");
    });
  }

  const RUNS = [
    ...[
      ["a", "aa"],
      ["a", "a"],
      ["aa", "aa"],
      ["aa", "a"],
      ["aaa", "a"],
      ["a", "aaa"],
    ],
  ];
  const withToken = (content: string, more: object = {}) => ({
    added_tokens: [{ id: 299, content, special: false, ...more }],
  });
  for (const [changes, problem] of [
    [
      {
        merges: [
          ["b", "c"],
          ["a", "bc"],
          ["a", "b"],
        ],
      },
      'its merges do not join "ab" and "c"',
    ],
    [
      {
        merges: [
          ["a", "b"],
          ["b", "c"],
          ["ab", "c"],
          ["c", "a"],
          ["a", "bc"],
        ],
      },
      'merges of "abc" lie apart',
    ],
    // aa, aa, a by merges, and aaa before a second aa by scores
    [{ merges: RUNS }, 'llama.cpp would have other tokens for "aaaa'],
    [{ normalizer: { type: "NFKC" } }, "normalizer and pre_tokenizer are none that llama.cpp has"],
    [
      { pre_tokenizer: metaspace("never") },
      "normalizer and pre_tokenizer are none that llama.cpp has",
    ],
    [
      { pre_tokenizer: { type: "Digits" } },
      "normalizer and pre_tokenizer are none that llama.cpp has",
    ],
    [withToken("x▁y"), 'an added token with ▁, "x▁y"'],
    [withToken("<x>", { normalized: true }), "it puts no space before what follows <x>"],
  ] as const) {
    it(`refuses what llama.cpp does otherwise: ${problem}`, () => {
      expect(() => words(changes)).toThrow(`tokenizer of models/x: ${problem}`);
    });
  }
});
