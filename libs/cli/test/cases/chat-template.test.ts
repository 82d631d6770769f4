import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readModelInfo } from "@stagecraft/model";
import { loadTokenizer, renderChat, trainBpe } from "@stagecraft/tokenizer";
import { expect, it } from "vitest";
import {
  makeBase,
  openWorkshop,
  runCli,
  succeed,
  writeRecords,
  type Workshop,
} from "./case-kit.js";

const CHAT = [
  { role: "user" as const, content: "Hi" },
  { role: "assistant" as const, content: "Yo" },
];

/** A base model whose tokenizer knows bytes and `<eos>`, and no chat. */
async function bareBase(workshop: Workshop): Promise<string[]> {
  const tokenizer = await trainBpe(["a"], { vocabSize: 257, specialTokens: ["<eos>"] });
  const config = JSON.stringify({ eos_token: "<eos>" });
  const tokenizerFiles = { ...tokenizer.files(), "tokenizer_config.json": config };
  const base = await makeBase(workshop.path("base"), { tokenizerFiles, vocabSize: 257 });
  const data = await writeRecords(workshop, "data.jsonl", Array(20).fill({ messages: CHAT }));
  const sizes = ["--epochs", "1", "--batch-size", "4", "--validation-fraction", "0"];
  return ["sft", "--model", base, "--data", data, ...sizes];
}

it("a model without a chat template is refused for sft by name, and learns with one that is given", async () => {
  await using workshop = await openWorkshop();
  const args = await bareBase(workshop);
  const run = workshop.path("run");
  const { code, err } = await runCli([...args, "--run", workshop.path("none")]);
  expect([code, err]).toEqual([1, expect.stringContaining("has no chat template")]);
  await succeed([...args, "--chat-template", "chatml", "--run", run]);
  const model = join(run, "model");
  const tokenizer = await loadTokenizer(model);
  expect(tokenizer.endIds.map((id) => tokenizer.tokenOf(id))).toEqual(["<|im_end|>", "<eos>"]);
  expect(renderChat(tokenizer, CHAT).text).toContain("<|im_start|>assistant\nYo<|im_end|>\n");
  expect((await readModelInfo(model)).config.vocabSize).toBe(259);
  const config = JSON.parse(await readFile(join(model, "config.json"), "utf8")) as object;
  expect(config).toMatchObject({ vocab_size: 259, eos_token_id: [258, 0] });
});

it("takes a chat template from a file, and names one that is not there", async () => {
  await using workshop = await openWorkshop();
  const args = await bareBase(workshop);
  const run = workshop.path("run");
  const file = await workshop.write(
    "own.jinja",
    "{% for m in messages %}<|turn|>{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}",
  );
  await succeed([...args, "--chat-template", file, "--run", run]);
  const tokenizer = await loadTokenizer(join(run, "model"));
  expect(tokenizer.vocabSize).toBe(258);
  expect(renderChat(tokenizer, CHAT).text).toBe("<|turn|>user: Hi<eos><|turn|>assistant: Yo<eos>");
  const missing = await runCli([...args, "--chat-template", "none.jinja", "--run", run]);
  expect([missing.code, missing.err]).toEqual([
    expect.any(Number),
    expect.stringContaining("none.jinja"),
  ]);
  expect(missing.code).not.toBe(0);
});
