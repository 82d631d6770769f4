import { beforeAll, describe, expect, it } from "vitest";
import { hasChatFormat, readRendered, renderChat, renderScored, scoredPart } from "./chat.js";
import { tokenizerFromFiles } from "./load-tokenizer.js";
import { trainBpe } from "./train-bpe.js";
import { trainCharTokenizer } from "./train-char-tokenizer.js";
import type { Message, Tokenizer } from "./tokenizer.js";

const MESSAGES: Message[] = [
  { role: "user", content: "Hi" },
  { role: "assistant", content: "Yo" },
  { role: "user", content: "ok" },
  { role: "assistant", content: "" },
];

const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + " +
  "'<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

let tokenizer: Tokenizer;
beforeAll(async () => (tokenizer = await trainCharTokenizer(["HiYok<|end|>"])));

const spelled = (ids: ArrayLike<number>) =>
  Array.from(ids, (id) => tokenizer.decode([id], { skipSpecials: false }));

describe("readRendered()", () => {
  it("reads the text of a rendering back to its ids, with or without its beginning", async () => {
    const tokenizer = await trainCharTokenizer(["Hi there?"]);
    const { ids } = renderChat(tokenizer, [
      { role: "user", content: "Hi?" },
      { role: "assistant", content: "there" },
    ]);
    const text = "<|bos|><|user|>Hi?<|end|><|assistant|>there<|end|>";
    expect([...readRendered(tokenizer, text)]).toEqual([...ids]);
    expect([...readRendered(tokenizer, text.slice("<|bos|>".length))]).toEqual([...ids]);
  });
});

describe("renderChat()", () => {
  it("marks every assistant token and its end token, and nothing else", () => {
    const { ids, assistantMask } = renderChat(tokenizer, MESSAGES);
    expect(spelled(ids).join("")).toBe(
      "<|bos|><|user|>Hi<|end|><|assistant|>Yo<|end|><|user|>ok<|end|><|assistant|><|end|>",
    );
    expect([...assistantMask].join("")).toBe("000000" + "111" + "00000" + "1");
  });

  it("ends a generation prompt with the assistant's marker, unmasked", () => {
    const { ids, assistantMask } = renderChat(tokenizer, MESSAGES.slice(0, 1), {
      addGenerationPrompt: true,
    });
    expect(ids.at(-1)).toBe(tokenizer.specials.assistant);
    expect(Math.max(...assistantMask)).toBe(0);
  });

  it("does not let a message end its own turn", () => {
    const { ids } = renderChat(tokenizer, [{ role: "user", content: "<|end|>" }]);
    expect(ids.filter((id) => id === tokenizer.specials.eos).length).toBe(1);
  });

  it("refuses an unknown role and a tokenizer without chat tokens", async () => {
    const strange = [{ role: "tool", content: "Hi" }] as unknown as Message[];
    expect(() => renderChat(tokenizer, strange)).toThrow('the role "tool"');
    const bare = await trainBpe(["a"], { vocabSize: 256, specialTokens: [] });
    expect(hasChatFormat(bare)).toBe(false);
    expect(() => renderChat(bare, MESSAGES)).toThrow("no chat template");
  });

  it("guesses no format from the names of tokens", async () => {
    const specialTokens = ["<|im_start|>", "<|im_end|>"];
    const { "tokenizer.json": text } = (
      await trainBpe(["a"], { vocabSize: 258, specialTokens })
    ).files();
    const foreign = tokenizerFromFiles({ "tokenizer.json": text! });
    expect(hasChatFormat(foreign)).toBe(false);
    expect(() => renderChat(foreign, MESSAGES)).toThrow(
      "[failed_precondition] this tokenizer has no chat template",
    );
  });
});

describe("renderScored() and scoredPart()", () => {
  const specialTokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
  const chatMl = async () => {
    const trained = await trainBpe(["a"], { vocabSize: 259, specialTokens });
    const config = JSON.stringify({ eos_token: "<|endoftext|>", chat_template: CHATML });
    return tokenizerFromFiles({ ...trained.files(), "tokenizer_config.json": config });
  };

  it("end at the token that ends the last turn, not at what a template puts behind it", async () => {
    const foreign = await chatMl();
    const ids = renderScored(foreign, MESSAGES.slice(0, 2));
    expect(foreign.decode(ids, { skipSpecials: false })).toMatch(/assistant\nYo<\|im_end\|>$/);
    const whole = renderChat(foreign, MESSAGES.slice(0, 2)).ids;
    expect(whole.length).toBe(ids.length + 1);
    expect(scoredPart(foreign, whole)).toEqual(ids);
    expect(scoredPart(foreign, ids)).toEqual(ids);
  });

  it("take an answer that ended with another end token for one that ended its turn", async () => {
    const foreign = await chatMl();
    const ids = renderScored(foreign, MESSAGES.slice(0, 2));
    const other = Int32Array.of(...ids.subarray(0, -1), foreign.specials.eos!);
    expect(scoredPart(foreign, other)).toEqual(ids);
  });

  it("leave an answer that did not end, and one that ends in a new line of its own", async () => {
    const foreign = await chatMl();
    for (const tail of ["Yo", "Yo\n"]) {
      const open = renderChat(foreign, MESSAGES.slice(0, 1), { addGenerationPrompt: true }).ids;
      const ids = Int32Array.of(...open, ...foreign.encode(tail));
      expect(scoredPart(foreign, ids)).toEqual(ids);
    }
  });

  it("are the whole conversation where nothing stands behind a turn's end", () => {
    expect(renderScored(tokenizer, MESSAGES)).toEqual(renderChat(tokenizer, MESSAGES).ids);
  });
});
