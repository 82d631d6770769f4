import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeJsonl } from "@stagecraft/data";
import { silentReporter } from "@stagecraft/runs";
import {
  renderChat,
  tokenizerFromFiles,
  trainCharTokenizer,
  type Tokenizer,
} from "@stagecraft/tokenizer";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadPrompts } from "./prompts.js";

let dir: string;
let tokenizer: Tokenizer;
const warnings: string[] = [];
const context = {
  reporter: silentReporter({ warn: (message) => void warnings.push(message) }),
  signal: new AbortController().signal,
};
const prompt = (length: number) => [{ role: "user" as const, content: "a".repeat(length) }];
const numTokens = (length: number) =>
  renderChat(tokenizer, prompt(length), { addGenerationPrompt: true }).ids.length;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "stagecraft-prompts-"));
  tokenizer = await trainCharTokenizer(["ab"]);
  warnings.length = 0;
  await writeJsonl(join(dir, "prompts.jsonl"), [
    { id: "short", messages: prompt(2) },
    { id: "long", messages: prompt(20) },
  ]);
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** Contexts of a policy of 64 positions and of further models. */
const load = (...further: { name: string; maxPositions: number; tokenizer?: Tokenizer }[]) =>
  loadPrompts(
    [join(dir, "prompts.jsonl")],
    {
      contexts: [{ name: "policy p", maxPositions: 64, tokenizer }, ...further].map((each) => ({
        tokenizer,
        ...each,
      })),
      maxNewTokens: 8,
    },
    context,
  );

describe("loadPrompts()", () => {
  it("takes what leaves room for the answer in every model", async () => {
    expect((await load()).map(({ id }) => id)).toEqual(["short", "long"]);
    const exactly = { name: "reward model r", maxPositions: numTokens(20) + 8 };
    expect(await load(exactly)).toHaveLength(2);
    expect(warnings).toEqual([]);
  });

  it("case E: leaves out what a reward model of shorter context cannot read, and names both", async () => {
    const maxPositions = numTokens(20) + 7;
    const prompts = await load({ name: "reward model r", maxPositions });
    expect(prompts.map(({ id }) => id)).toEqual(["short"]);
    expect(warnings).toEqual([
      expect.stringMatching(/left out: prompt "long" \(.*prompts\.jsonl:2\)$/),
    ]);
    expect(warnings[0]).toContain(
      `1 of 2 prompts have no room within ${maxPositions - 8} tokens: the reward model r has ${maxPositions} positions and an answer needs 8`,
    );
    const none = load({ name: "reward model r", maxPositions: 9 });
    await expect(none).rejects.toThrow("no usable prompt");
    await expect(none).rejects.toThrow("the reward model r has 9 positions");
  });

  it("names the prompt that a chat template refuses", async () => {
    const config = JSON.stringify({ chat_template: "{{ raise_exception('not this one') }}" });
    const strict = tokenizerFromFiles({ ...tokenizer.files(), "tokenizer_config.json": config });
    await expect(
      load({ name: "reward model r", maxPositions: 64, tokenizer: strict }),
    ).rejects.toThrow(
      /prompt "short" \(.*prompts\.jsonl:1\): the chat template refuses .* not this one/,
    );
  });

  it("keeps the policy's tokens where a model of the same tokenizer has another chat template", async () => {
    const config = JSON.stringify({ chat_template: "{{ messages[0].content }}" });
    const other = tokenizerFromFiles({ ...tokenizer.files(), "tokenizer_config.json": config });
    const [first] = await load({ name: "reward model r", maxPositions: 64, tokenizer: other });
    expect(first!.promptIds).toHaveLength(numTokens(2));
  });

  it("case E: counts a second reward model's tokens by its own tokenizer", async () => {
    const other = await trainCharTokenizer(["b"], { byteFallback: true });
    const length = (chars: number) =>
      renderChat(other, prompt(chars), { addGenerationPrompt: true }).ids.length;
    const second = { name: "reward model s", tokenizer: other };
    expect(await load({ ...second, maxPositions: length(20) + 8 })).toHaveLength(2);
    expect(await load({ ...second, maxPositions: length(20) + 7 })).toHaveLength(1);
  });
});
