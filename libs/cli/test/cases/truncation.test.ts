import { join } from "node:path";
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

const POSITIONS = 64;

/** A chat of byte tokens whose answer begins with the last token that a row has room for. */
function lateChat(i: number) {
  const user = `Q${String(i).padStart(2, "0")}`;
  // <|bos|>, <|system|>, …, <|end|>, <|user|>, …, <|end|>, <|assistant|>
  const system = "s".repeat(POSITIONS - 6 - user.length);
  return {
    messages: [
      { role: "system", content: system },
      { role: "user", content: user },
      { role: "assistant", content: "aaaaaaaa" },
    ],
  };
}

async function sft(workshop: Workshop, records: object[], ...flags: string[]) {
  const model = await makeBase(workshop.path("base"), { contextLength: POSITIONS });
  const data = await writeRecords(workshop, "chats.jsonl", records);
  return [
    ...["sft", "--model", model, "--data", data, "--validation-fraction", "0"],
    ...["--learning-rate", "0.02", "--warmup-steps", "0", "--threads", "1"],
    ...["--run", workshop.path("sft"), ...flags],
  ];
}

it("answers cut to a row teach their beginning and no end: the model does not learn to say nothing", async () => {
  await using workshop = await openWorkshop();
  const chats = Array.from({ length: 24 }, (_, i) => lateChat(i));
  const { err } = await succeed(await sft(workshop, chats, "--epochs", "10"));
  expect(err).toContain("24 demonstrations are longer than 64 tokens and were cut");

  const prompts = await writeRecords(workshop, "prompts.jsonl", [{ prompt: "Q07" }]);
  await succeed([
    ...["collect", "--model", workshop.path("sft/model"), "--prompts", prompts],
    ...["--temperature", "0", "--max-new-tokens", "4", "--samples-per-prompt", "1"],
    ...["--threads", "1", "--run", workshop.path("answers")],
  ]);
  const [set] = await readRecords(join(workshop.path("answers"), "answers.jsonl"));
  expect((set!["answers"] as string[])[0]).toMatch(/^a/);
});

it("a chat without an answer inside the row is left out and counted; all can be dropped or refused", async () => {
  await using workshop = await openWorkshop();
  const tooLate = {
    messages: lateChat(1).messages.map((m) => ({ ...m, content: `${m.content}x` })),
  };
  const short = { messages: lateChat(2).messages.slice(1) };
  const args = await sft(workshop, [short, tooLate, lateChat(3)], "--epochs", "1");

  const cut = await succeed([...args, "--overlong", "cut"]);
  expect(cut.err).toContain("1 demonstrations are longer than 64 tokens and were cut");
  expect(cut.err).toContain("1 demonstrations have no answer within 64 tokens: left out");

  const dropped = await succeed([...args, "--overwrite", "--overlong", "drop"]);
  expect(dropped.err).toContain("2 demonstrations are longer than 64 tokens: left out");

  const refused = await runCli([...args, "--overwrite", "--overlong", "error"]);
  expect(refused.code).toBe(1);
  expect(refused.err).toMatch(/chats\.jsonl:2\) has \d+ tokens, a sequence 64/);
});
