import { join } from "node:path";
import { expect, it } from "vitest";
import {
  example,
  makeBase,
  openWorkshop,
  readRecords,
  runCli,
  succeed,
  writeRecords,
} from "./case-kit.js";

it("an empty answer is refused with file and line, or left out, in a chat as in the Alpaca form", async () => {
  await using workshop = await openWorkshop();
  const model = await makeBase(workshop.path("base"));
  const good = Array.from({ length: 12 }, (_, i) => example(`Q${i}`, "Yes."));
  const empty = [example("Q", ""), { instruction: "Q", output: " " }];
  const data = await writeRecords(workshop, "chats.jsonl", [...good, ...empty]);
  const args = [
    ...["sft", "--model", model, "--data", data, "--validation-fraction", "0", "--epochs", "1"],
    ...["--threads", "1", "--run", workshop.path("sft")],
  ];

  const { code, err } = await runCli(args);
  expect(code).toBe(1);
  expect(err).toContain("chats.jsonl:13: messages[1].content, an answer, is empty");

  const skipping = await succeed([...args, "--overwrite", "--max-bad-records", "2", "--json"]);
  expect(skipping.out).toContain("chats.jsonl:14");
  expect(skipping.out).toContain('"demonstrations":12');
});

it("an answer of weight 0 is context: what the model learns to say is the other", async () => {
  await using workshop = await openWorkshop();
  const model = await makeBase(workshop.path("base"));
  const chats = Array.from({ length: 24 }, (_, i) => {
    const [user, answer] = example(`Q${i}`, "no").messages;
    return { messages: [user, { ...answer, weight: 0 }, ...example(`R${i}`, "yes").messages] };
  });
  const data = await writeRecords(workshop, "chats.jsonl", chats);
  await succeed([
    ...["sft", "--model", model, "--data", data, "--validation-fraction", "0", "--epochs", "20"],
    ...["--learning-rate", "0.02", "--threads", "1", "--run", workshop.path("sft")],
  ]);
  const prompts = await writeRecords(workshop, "prompts.jsonl", [{ prompt: "Q3" }]);
  await succeed([
    ...["collect", "--model", workshop.path("sft/model"), "--prompts", prompts],
    ...["--temperature", "0", "--max-new-tokens", "4", "--samples-per-prompt", "1"],
    ...["--threads", "1", "--run", workshop.path("answers")],
  ]);
  const [set] = await readRecords(join(workshop.path("answers"), "answers.jsonl"));
  expect((set!["answers"] as string[])[0]).toMatch(/^y/);
});
