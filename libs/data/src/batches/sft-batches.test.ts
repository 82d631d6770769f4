import { trainCharTokenizer, type Tokenizer } from "@stagecraft/tokenizer";
import { beforeAll, describe, expect, it } from "vitest";
import type { BatchSource, Conversation, TokenBatch } from "../types.js";
import { openSftBatches } from "./sft-batches.js";

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await trainCharTokenizer(["abcdefghijklmnopqrstuvwxyz 0123456789HY"]);
});

const talk = (question: string, answer: string): Conversation => ({
  messages: [
    { role: "user", content: question },
    { role: "assistant", content: answer },
  ],
});
const many = Array.from({ length: 50 }, (_, i) =>
  talk(`question ${i}`, "answer ".repeat(1 + (i % 5))),
);
const base = { batchSize: 2, length: 128, seed: 1 };

const spell = (ids: Iterable<number>) =>
  Array.from(ids, (id) => (id < 0 ? "_" : tokenizer.decode([id], { skipSpecials: false })));

async function take(source: BatchSource, count: number): Promise<TokenBatch[]> {
  const batches: TokenBatch[] = [];
  while (batches.length < count) batches.push(await source.next());
  return batches;
}

describe("openSftBatches()", () => {
  it("has a target at every assistant token and its end, as worked by hand", async () => {
    const conversation: Conversation = {
      messages: [...talk("Hi", "Yo").messages, ...talk("k", "").messages],
    };
    const source = openSftBatches([conversation], tokenizer, {
      ...base,
      batchSize: 1,
      pack: false,
    });
    const batch = await source.next();
    expect(batch.length).toBe(16); // 13 inputs, to a multiple of 8
    expect(spell(batch.ids).join(" ").replaceAll("<|pad|>", "0")).toBe(
      "<|bos|> <|user|> H i <|end|> <|assistant|> Y o <|end|> <|user|> k <|end|> <|assistant|> 0 0 0",
    );
    expect(spell(batch.targets).join(" ")).toBe("_ _ _ _ _ Y o <|end|> _ _ _ _ <|end|> _ _ _");
    expect([...batch.segments]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]);
    expect([batch.numTargets, batch.numTargetBytes]).toEqual([4, 2]);
  });

  it("has no target in an answer of weight 0", async () => {
    const [question, answer] = talk("Hi", "Yo").messages;
    const messages = [question!, { ...answer!, weight: 0 as const }, ...talk("k", "a").messages];
    const source = openSftBatches([{ messages }], tokenizer, {
      ...base,
      batchSize: 1,
      pack: false,
    });
    const { targets } = await source.next();
    expect(spell(targets).join(" ")).toBe("_ _ _ _ _ _ _ _ _ _ _ _ a <|end|> _ _");
  });

  describe("conversations longer than a row", () => {
    const options = { ...base, batchSize: 1, length: 8, pack: true };
    const late = talk("a question longer than a row", "x");

    it("gives a cut answer no end that nobody wrote", async () => {
      const source = openSftBatches([talk("Hi", "abcdefgh"), talk("Hi", "a")], tokenizer, options);
      const batches = await take(source, 2);
      const targets = batches.map((batch) => spell(batch.targets).join(" ")).sort();
      expect(targets).toEqual(["_ _ _ _ _ a <|end|> _", "_ _ _ _ _ a b c"]);
      expect(source.numCut).toBe(1);
    });

    it("leaves out and counts what has no answer within the row, and refuses when nothing is left", () => {
      const source = openSftBatches([late, talk("Hi", "a")], tokenizer, options);
      expect([source.numConversations, source.numWithoutTarget, source.numCut]).toEqual([1, 1, 0]);
      expect(() => openSftBatches([late], tokenizer, options)).toThrow("use a larger length");
      expect(() => openSftBatches([], tokenizer, options)).toThrow("there are no conversations");
    });

    it("leaves all of them out, or refuses the first by name, when told to", () => {
      const all = [talk("Hi", "abcdefgh"), talk("Hi", "a")];
      const source = openSftBatches(all, tokenizer, { ...options, overlong: "drop" });
      expect([source.numConversations, source.numTooLong, source.numCut]).toEqual([1, 1, 0]);
      const named = { id: "long", ...all[0]! };
      const refuse = () => openSftBatches([named], tokenizer, { ...options, overlong: "error" });
      expect(refuse).toThrow('demonstration "long" has 15 tokens, a sequence 8');
    });
  });

  for (const pack of [true, false]) {
    it(`sees each conversation once an epoch in its own segment (pack: ${pack})`, async () => {
      const source = openSftBatches(many, tokenizer, { ...base, pack });
      for (let epoch = 0; epoch < 2; epoch++) {
        const seen: string[] = [];
        for (const batch of await take(source, source.batchesPerEpoch)) seen.push(...texts(batch));
        const expected = many.map(({ messages }) =>
          messages.map(({ content }) => content).join(""),
        );
        expect(seen.sort()).toEqual(expected.sort());
      }
    });

    it(`resumes exactly (pack: ${pack})`, async () => {
      const open = () => openSftBatches(many, tokenizer, { ...base, pack });
      const whole = await take(open(), 40);
      const interrupted = open();
      await take(interrupted, 29);
      const resumed = open();
      await resumed.seek(interrupted.position());
      expect(await take(resumed, 11)).toEqual(whole.slice(29));
      expect(whole[0]).not.toEqual(whole[open().batchesPerEpoch]); // epochs differ in order
    });
  }

  it("keeps batches of one conversation a row about as long as their longest", async () => {
    const source = openSftBatches(many, tokenizer, { ...base, pack: false });
    for (const batch of await take(source, source.batchesPerEpoch)) {
      const longest = Math.max(
        ...[0, 1]
          .map((row) => {
            return batch.segments.slice(row * batch.length, (row + 1) * batch.length).indexOf(0);
          })
          .map((end) => (end < 0 ? batch.length : end)),
      );
      expect(batch.length - longest).toBeLessThan(8);
    }
  });
});

/** The text of each segment; the last token of a conversation is a target only. */
function texts(batch: TokenBatch): string[] {
  const found: number[][] = [];
  for (let at = 0; at < batch.ids.length; at++) {
    if (batch.segments[at] === 0) continue;
    if (batch.positions[at] === 0) found.push([]);
    const sameRow = at % batch.length > 0;
    const changes = !sameRow || batch.segments[at] !== batch.segments[at - 1];
    expect(changes).toBe(batch.positions[at] === 0);
    found.at(-1)!.push(batch.ids[at]!);
  }
  return found.map((ids) => tokenizer.decode(ids));
}
