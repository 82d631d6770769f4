import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readModelInfo } from "@stagecraft/model";
import { loadTokenizer, renderChat, trainBpe } from "@stagecraft/tokenizer";
import { expect, it } from "vitest";
import {
  makeBase,
  openWorkshop,
  readRecords,
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

it("reward and dpo learn with a chat template that is given, and what only reads a model refuses its new tokens", async () => {
  await using workshop = await openWorkshop();
  await bareBase(workshop);
  const model = workshop.path("base");
  const ranking = { prompt: "Hi", answers: ["Yo", "No"], ranks: [1, 2] };
  const data = await writeRecords(workshop, "ranked.jsonl", Array(8).fill(ranking));
  const pace = ["--epochs", "1", "--validation-fraction", "0", "--chat-template", "chatml"];
  for (const stage of ["reward", "dpo"]) {
    const run = workshop.path(stage);
    await succeed([stage, "--model", model, "--data", data, ...pace, "--run", run]);
    const tokenizer = await loadTokenizer(join(run, "model"));
    expect(tokenizer.tokenOf(tokenizer.endIds[0]!)).toBe("<|im_end|>");
    expect((await readModelInfo(join(run, "model"))).config.vocabSize).toBe(259);
  }
  const prompts = await writeRecords(workshop, "prompts.jsonl", [{ prompt: "Hi" }]);
  const ask = ["--prompts", prompts, "--max-new-tokens", "4", "--chat-template"];
  const collect = ["collect", "--model", model, ...ask];
  const refused = await runCli([...collect, "chatml", "--run", workshop.path("none")]);
  expect([refused.code, refused.err]).toEqual([
    1,
    expect.stringContaining("chatml needs 2 tokens that"),
  ]);
  const plain = await workshop.write("plain.jinja", "{{ messages[0].content }}{{ eos_token }}");
  await succeed([...collect, plain, "--run", workshop.path("collected")]);
  const evaluate = ["evaluate", "--models", `m=${model}`, ...ask];
  await succeed([...evaluate, plain, "--run", workshop.path("evaluated")]);
});

it("ppo asks, ends answers and leaves its model with a chat template that is given", async () => {
  await using workshop = await openWorkshop();
  await bareBase(workshop);
  const policy = workshop.path("base");
  const turns =
    "Q {{ messages[0].content }} A {% for m in messages[1:] %}{{ m.content }}{{ eos_token }}{% endfor %}";
  const settings = { eos_token: "<eos>", chat_template: turns };
  const config = { "tokenizer_config.json": JSON.stringify(settings) };
  const tokenizerFiles = { ...(await loadTokenizer(policy)).files(), ...config };
  const reward = workshop.path("reward");
  await makeBase(reward, { tokenizerFiles, vocabSize: 257, heads: ["score"], seed: 2 });
  const prompts = await writeRecords(workshop, "prompts.jsonl", [{ prompt: "Hi" }]);
  const sizes = ["--updates", "1", "--prompts-per-update", "2", "--max-new-tokens", "4"];
  const ppo = ["ppo", "--policy", policy, "--reward-model", reward, "--prompts", prompts, ...sizes];
  const none = await runCli([...ppo, "--run", workshop.path("none")]);
  expect(none.err).toContain("has no chat template");
  const run = workshop.path("run");
  await succeed([
    ...ppo,
    "--chat-template",
    await workshop.write("turns.jinja", turns),
    "--run",
    run,
  ]);
  const [shown] = await readRecords(join(run, "rollouts", "update-000001.jsonl"));
  expect(JSON.stringify(shown)).toContain("Q Hi A ");
  const made = await loadTokenizer(join(run, "model"));
  expect(renderChat(made, CHAT).text).toBe("Q Hi A Yo<eos>");
});

it("takes names of chat tokens that might be text where they are given", async () => {
  await using workshop = await openWorkshop();
  const args = await bareBase(workshop);
  const turns = "{% for m in messages %}<turn>{{ m.content }}</turn>{% endfor %}";
  const template = ["--chat-template", await workshop.write("turns.jinja", turns)];
  const names = ["--chat-tokens", "<turn>", "--chat-tokens", "</turn>"];
  await succeed([...args, ...template, ...names, "--run", workshop.path("run")]);
  const tokenizer = await loadTokenizer(join(workshop.path("run"), "model"));
  expect(tokenizer.tokenOf(tokenizer.endIds[0]!)).toBe("</turn>");
  const alone = await runCli([...args, ...names, "--run", workshop.path("alone")]);
  expect(alone.err).toContain("chatTokens: they are tokens of a chat template");
});
