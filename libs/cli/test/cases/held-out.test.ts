import { expect, it } from "vitest";
import { makeBase, openWorkshop, runCli, succeed, writeRecords } from "./case-kit.js";

const system = { role: "system", content: "You help." };
const user = (content: string) => ({ role: "user", content });

it("chats that share a system prompt are split by their prompts, sft and reward alike", async () => {
  await using workshop = await openWorkshop();
  const model = await makeBase(workshop.path("base"));
  const chats = Array.from({ length: 400 }, (_, i) => ({
    messages: [system, user(`Q${i}`), { role: "assistant", content: "Yes." }],
  }));
  const data = await writeRecords(workshop, "chats.jsonl", chats);
  const training = ["--epochs", "0.01", "--validation-fraction", "0.1", "--threads", "1"];
  const args = ["sft", "--model", model, "--data", data, ...training];
  const { out, err } = await succeed([...args, "--run", workshop.path("sft")]);
  expect(err).not.toContain("are held out");
  const learnt = Number(/demonstrations +(\d+)/.exec(out)![1]);
  expect(learnt).toBeGreaterThan(320);
  expect(learnt).toBeLessThan(400);

  const rankings = chats.map(({ messages }) => ({
    prompt: messages.slice(0, 2),
    ...{ answers: ["Yes.", "No."], ranks: [1, 2] },
  }));
  const ranked = await writeRecords(workshop, "ranked.jsonl", rankings);
  const reward = ["reward", "--model", model, "--data", ranked, ...training];
  const done = await succeed([...reward, "--run", workshop.path("reward")]);
  expect(done.err).not.toContain("are held out");
});

it("a share far from the one asked for warns, with what makes it so", async () => {
  await using workshop = await openWorkshop();
  const model = await makeBase(workshop.path("base"));
  const same = { messages: [system, user("Q"), { role: "assistant", content: "Yes." }] };
  const data = await writeRecords(workshop, "chats.jsonl", Array(30).fill(same));
  const args = ["sft", "--model", model, "--data", data, "--epochs", "1", "--threads", "1"];
  const { code, err } = await runCli([...args, "--run", workshop.path("sft")]);
  expect(err).toContain("0 of 30 demonstrations are held out (0 %), 5 % were asked for");
  expect(err).toContain("1 different prompts");
  expect(code).toBe(0);
});

it("one document and the default split: the tail is held out, and that is said", async () => {
  await using workshop = await openWorkshop();
  const corpus = await workshop.write("text.txt", "the cat sat on the mat. ".repeat(100));
  const { out, err } = await succeed([
    ...["pretrain", "--corpus", corpus, "--tokenizer-kind", "chars", "--num-layers", "1"],
    ...["--num-heads", "1", "--hidden-size", "8", "--context-length", "16", "--batch-size", "2"],
    ...["--steps", "2", "--validation-fraction", "0.1", "--threads", "1"],
    ...["--run", workshop.path("base")],
  ]);
  expect(err).toContain("1 document(s) cannot be split by documents");
  expect(err).toContain("the last part of the text is held out");
  expect(out).toMatch(/validationLoss +\d/);
});
