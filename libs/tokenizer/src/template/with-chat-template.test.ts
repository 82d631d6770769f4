import { describe, expect, it } from "vitest";
import { renderChat } from "../chat.js";
import { tokenizerFromFiles } from "../load-tokenizer.js";
import { trainBpe } from "../train-bpe.js";
import { withChatTemplate } from "./with-chat-template.js";

const CHAT = [
  { role: "user" as const, content: "Hi" },
  { role: "assistant" as const, content: "Yo" },
];
const bare = () => trainBpe(["a"], { vocabSize: 257, specialTokens: ["<eos>"] });
const template = (before: string, after: string) =>
  `{% for m in messages %}{{ ${before} + m.content + ${after} }}{% endfor %}`;

describe("withChatTemplate()", () => {
  for (const [what, before, after, names] of [
    [
      "that the template puts together",
      "'<|' + m.role + '|>'",
      "'<|end|>'",
      ["<|user|>", "<|end|>"],
    ],
    ["of full width, as DeepSeek's", "'<｜User｜>'", "'<｜end▁of▁turn｜>'", ["<｜User｜>"]],
    ["in brackets, as EXAONE's", "'[|' ~ m.role ~ '|]'", "'[|endofturn|]'", ["[|assistant|]"]],
    ["with a hyphen", "'<|a-turn|>'", "'<|end|>'", ["<|a-turn|>"]],
  ] as const) {
    it(`adds names of tokens ${what}`, async () => {
      const tokenizer = withChatTemplate(await bare(), template(before, after));
      for (const name of names) {
        const id = tokenizer.idOf(name);
        expect(id).toBeGreaterThanOrEqual(257);
        expect(renderChat(tokenizer, CHAT).ids).toContain(id);
      }
    });
  }

  it("adds names that might be text only where they are given", async () => {
    const text = template("'<start_of_turn>'", "'<end_of_turn>'");
    expect(withChatTemplate(await bare(), text).vocabSize).toBe(257);
    const given = withChatTemplate(await bare(), text, ["<start_of_turn>", "<end_of_turn>"]);
    expect(given.vocabSize).toBe(259);
    expect(given.tokenOf(given.endIds[0]!)).toBe("<end_of_turn>");
  });

  it("refuses a name that the template does not write", async () => {
    const tokenizer = await bare();
    expect(() => withChatTemplate(tokenizer, template("'a'", "'b'"), ["<turn>"])).toThrow(
      'chatTokens: the chat template does not write "<turn>"',
    );
  });
});

it("two tokenizers that differ in their chat template alone differ in chatFingerprint alone", async () => {
  const base = withChatTemplate(await bare(), template("'a' + eos_token", "'b'"));
  const other = withChatTemplate(await bare(), template("'a' + eos_token", "'c'"));
  expect(other.fingerprint).toBe(base.fingerprint);
  expect(other.chatFingerprint).not.toBe(base.chatFingerprint);
  const again = tokenizerFromFiles(base.files());
  expect(again.chatFingerprint).toBe(base.chatFingerprint);
  expect((await bare()).chatFingerprint).toBe("");
});
